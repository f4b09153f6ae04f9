/**
 * The operators' API from the browser: one WebSocket, the same typed procedures as everywhere. Where the line is lost it
 * is made again by itself, watchers begin anew, and the page shows what it knew meanwhile.
 */
import { Cause, Context, Effect, Exit, Fiber, Layer, ManagedRuntime, Schedule, Stream } from "effect"
import { RpcClient, type RpcClientError, type RpcGroup, RpcSerialization } from "effect/rpc"
import { Socket } from "effect/socket"
import { OperatorApi } from "../OperatorApi.ts"

type Client = RpcClient.RpcClient<RpcGroup.Rpcs<typeof OperatorApi>, RpcClientError.RpcClientError>

class Api extends Context.Service<Api, Client>()("@armoricore/operator/console/Api") {}

/** Why a call failed, for a person. */
export interface Failed {
  /** The token does not count (any more): sign in again. */
  readonly refused: boolean
  readonly message: string
}

export interface Connection {
  readonly call: <A, E>(ask: (client: Client) => Effect.Effect<A, E>) => Promise<A>
  /** Until the returned function is called; begins again where the line was lost. */
  readonly watch: <A, E>(
    ask: (client: Client) => Stream.Stream<A, E>,
    onValue: (value: A) => void,
    onTrouble: (failed: Failed) => void,
  ) => () => void
  readonly close: () => void
}

const address = (): string => {
  const url = new URL("/rpc", location.href)
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:"
  return url.href
}

export const open = (token: string): Connection => {
  const wire = RpcClient.layerProtocolSocket({ retryTransientErrors: true }).pipe(
    Layer.provide([
      Socket.layerWebSocket(address()).pipe(Layer.provide(Socket.layerWebSocketConstructorGlobal)),
      RpcSerialization.layerNdjson,
    ]),
  )
  const runtime = ManagedRuntime.make(Layer.effect(Api, RpcClient.make(OperatorApi)).pipe(Layer.provide(wire)))
  const signed = RpcClient.withHeaders({ authorization: `Bearer ${token}` })

  return {
    call: async (ask) => {
      const exit = await runtime.runPromiseExit(
        signed(Effect.flatMap(Api, ask)).pipe(
          Effect.timeoutOrElse({
            duration: "20 seconds",
            orElse: () => Effect.fail({ message: "no answer within 20 s; the line may be down" }),
          }),
        ),
      )
      if (Exit.isSuccess(exit)) return exit.value
      throw new CallFailed(failedOf(exit.cause))
    },
    watch: (ask, onValue, onTrouble) => {
      const watching = Effect.flatMap(Api, (client) =>
        Stream.runForEach(ask(client), (value) => Effect.sync(() => onValue(value))),
      ).pipe(
        signed,
        Effect.tapCause((cause) => Effect.sync(() => onTrouble(failedOf(cause)))),
        Effect.retry({ schedule: Schedule.spaced("1 second") }),
      )
      const fiber = runtime.runFork(watching)
      return () => void runtime.runFork(Fiber.interrupt(fiber))
    },
    close: () => void runtime.dispose(),
  }
}

export class CallFailed extends Error {
  readonly refused: boolean
  constructor({ message, refused }: Failed) {
    super(message)
    this.refused = refused
  }
}

const failedOf = (cause: Cause.Cause<unknown>): Failed => {
  const error = Cause.squash(cause)
  const tag = typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined
  const message = typeof error === "object" && error !== null && "message" in error ? String(error.message) : ""
  if (tag === "RpcClientError") return { refused: false, message: "the server cannot be reached; trying again" }
  return { refused: tag === "Refused", message: message === "" ? "it failed; the server's log says more" : message }
}
