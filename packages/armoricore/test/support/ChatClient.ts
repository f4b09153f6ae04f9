/** Clients in a chat room of a running program, with the official `phoenix` client. */
import { Effect, type Scope } from "effect"
import { type Channel, Socket } from "phoenix"

export interface ChatClient {
  readonly send: (content: string) => Effect.Effect<void>
  /** The reply to an event. */
  readonly push: (event: string, payload: object) => Effect.Effect<unknown, Error>
  /** Close codes of its connections so far. */
  readonly closeCodes: ReadonlyArray<number>
}

export const join = (url: string, token: string, topic: string): Effect.Effect<ChatClient, never, Scope.Scope> =>
  Effect.gen(function* () {
    const closeCodes: Array<number> = []
    const socket = yield* Effect.acquireRelease(
      Effect.sync(
        () => new Socket(`${url.replace(/^http/, "ws")}/socket`, { params: { token }, transport: WebSocket }),
      ),
      (opened) => Effect.sync(() => opened.disconnect()),
    )
    socket.onClose((event: unknown) => {
      const code: unknown = typeof event === "object" && event !== null ? Reflect.get(event, "code") : undefined
      if (typeof code === "number") closeCodes.push(code)
    })
    const channel = yield* Effect.callback<Channel>((resume) => {
      socket.connect()
      const joining = socket.channel(topic, {})
      joining.join().receive("ok", () => resume(Effect.succeed(joining)))
    })
    return {
      closeCodes,
      push: (event, payload) =>
        Effect.callback<unknown, Error>((resume) => {
          channel
            .push(event, payload)
            .receive("ok", (reply: unknown) => resume(Effect.succeed(reply)))
            .receive("error", (reply: unknown) => resume(Effect.fail(new Error(`${event}: ${JSON.stringify(reply)}`))))
        }),
      send: (content) =>
        Effect.callback<void>((resume) => {
          channel.push("new_message", { content }).receive("ok", () => resume(Effect.void))
        }),
    }
  })
