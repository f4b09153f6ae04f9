/**
 * The operator API in the browser: typed RPC over one WebSocket. After a connection loss the client reconnects and the
 * subscriptions restart; meanwhile the page shows the last known values.
 */
import { Cause, Context, Effect, Exit, Fiber, Layer, ManagedRuntime, Schedule, Stream } from "effect"
import { RpcClient, type RpcClientError, type RpcGroup, RpcSerialization } from "effect/rpc"
import { Socket } from "effect/socket"
import { OperatorApi } from "../OperatorApi.ts"

type Client = RpcClient.RpcClient<RpcGroup.Rpcs<typeof OperatorApi>, RpcClientError.RpcClientError>

class Api extends Context.Service<Api, Client>()("@armoricore/operator/console/Api") {}

/** Why a call failed, as a message for the operator. */
export interface CallFailure {
  /** The server rejected the token. The operator must sign in again. */
  readonly isAccessDenied: boolean
  readonly message: string
}

export interface Connection {
  readonly call: <A, E>(procedure: (client: Client) => Effect.Effect<A, E>) => Promise<A>
  /** Subscribes until the returned function is called. Subscribes again after a connection loss. */
  readonly watch: <A, E>(
    procedure: (client: Client) => Stream.Stream<A, E>,
    onValue: (value: A) => void,
    onError: (failure: CallFailure) => void,
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
    call: async (procedure) => {
      const exit = await runtime.runPromiseExit(
        withToken(Effect.flatMap(Api, procedure)).pipe(
          Effect.timeoutOrElse({
            duration: "20 seconds",
            orElse: () => Effect.fail({ message: "No response within 20 s. Check the connection and try again." }),
          }),
        ),
      )
      if (Exit.isSuccess(exit)) return exit.value
      throw new CallError(toCallFailure(exit.cause))
    },
    watch: (procedure, onValue, onError) => {
      const subscription = Effect.flatMap(Api, (client) =>
        Stream.runForEach(procedure(client), (value) => Effect.sync(() => onValue(value))),
      ).pipe(
        withToken,
        Effect.tapCause((cause) => Effect.sync(() => onError(toCallFailure(cause)))),
        Effect.retry({ schedule: Schedule.spaced("1 second") }),
      )
      const fiber = runtime.runFork(subscription)
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
  if (tag === "RpcClientError") return { isAccessDenied: false, message: "The server is unreachable. Reconnecting …" }
  return {
    isAccessDenied: tag === "AccessDenied",
    message: message === "" ? "The call failed. See the log of the server for the cause." : message,
  }
}
