/**
 * The operators' API from the browser: one WebSocket, the same typed procedures as everywhere. Where the line is lost it
 * is opened again, watchers restart, and the page meanwhile shows the last known values.
 */
import { Cause, Context, Effect, Exit, Fiber, Layer, ManagedRuntime, Schedule, Stream } from "effect"
import { RpcClient, type RpcClientError, type RpcGroup, RpcSerialization } from "effect/rpc"
import { Socket } from "effect/socket"
import { OperatorApi } from "../OperatorApi.ts"

type Client = RpcClient.RpcClient<RpcGroup.Rpcs<typeof OperatorApi>, RpcClientError.RpcClientError>

class Api extends Context.Service<Api, Client>()("@armoricore/operator/console/Api") {}

/** Why a call failed, for a person. */
export interface CallFailure {
  /** The token does not count (any more): sign in again. */
  readonly isAccessDenied: boolean
  readonly message: string
}

export interface Connection {
  readonly call: <A, E>(ask: (client: Client) => Effect.Effect<A, E>) => Promise<A>
  /** Until the returned function is called; begins again where the line was lost. */
  readonly watch: <A, E>(
    ask: (client: Client) => Stream.Stream<A, E>,
    onValue: (value: A) => void,
    onError: (failed: CallFailure) => void,
  ) => () => void
  readonly close: () => void
}

const socketUrl = (): string => {
  const url = new URL("/rpc", location.href)
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:"
  return url.href
}

export const connect = (token: string): Connection => {
  const protocolLayer = RpcClient.layerProtocolSocket({ retryTransientErrors: true }).pipe(
    Layer.provide([
      Socket.layerWebSocket(socketUrl()).pipe(Layer.provide(Socket.layerWebSocketConstructorGlobal)),
      RpcSerialization.layerNdjson,
    ]),
  )
  const runtime = ManagedRuntime.make(Layer.effect(Api, RpcClient.make(OperatorApi)).pipe(Layer.provide(protocolLayer)))
  const withToken = RpcClient.withHeaders({ authorization: `Bearer ${token}` })

  return {
    call: async (ask) => {
      const exit = await runtime.runPromiseExit(
        withToken(Effect.flatMap(Api, ask)).pipe(
          Effect.timeoutOrElse({
            duration: "20 seconds",
            orElse: () => Effect.fail({ message: "no answer within 20 s; the line may be down" }),
          }),
        ),
      )
      if (Exit.isSuccess(exit)) return exit.value
      throw new CallError(toCallFailure(exit.cause))
    },
    watch: (ask, onValue, onError) => {
      const watching = Effect.flatMap(Api, (client) =>
        Stream.runForEach(ask(client), (value) => Effect.sync(() => onValue(value))),
      ).pipe(
        withToken,
        Effect.tapCause((cause) => Effect.sync(() => onError(toCallFailure(cause)))),
        Effect.retry({ schedule: Schedule.spaced("1 second") }),
      )
      const fiber = runtime.runFork(watching)
      return () => void runtime.runFork(Fiber.interrupt(fiber))
    },
    close: () => void runtime.dispose(),
  }
}

export class CallError extends Error {
  readonly isAccessDenied: boolean
  constructor({ message, isAccessDenied }: CallFailure) {
    super(message)
    this.isAccessDenied = isAccessDenied
  }
}

const toCallFailure = (cause: Cause.Cause<unknown>): CallFailure => {
  const error = Cause.squash(cause)
  const tag = typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined
  const message = typeof error === "object" && error !== null && "message" in error ? String(error.message) : ""
  if (tag === "RpcClientError") return { isAccessDenied: false, message: "the server cannot be reached; trying again" }
  return {
    isAccessDenied: tag === "AccessDenied",
    message: message === "" ? "it failed; the server's log says more" : message,
  }
}
