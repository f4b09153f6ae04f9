/** A user in a chat room, through the official `phoenix` client. */
import { Effect, type Scope } from "effect"
import { type Channel, Socket } from "phoenix"

export type Message = Readonly<Record<string, unknown>>

export interface ChatRoom {
  /** The messages in the response to the join. */
  readonly messages: ReadonlyArray<Message>
  readonly recovered: unknown
  /** Sends a message; returns it as the server stored it. */
  readonly say: (content: string) => Effect.Effect<Message>
}

export const join = (
  url: string,
  token: string,
  room: string,
  params: object = {},
): Effect.Effect<ChatRoom, Error, Scope.Scope> =>
  Effect.gen(function* () {
    const socket = yield* Effect.acquireRelease(
      Effect.sync(
        () => new Socket(`${url.replace(/^http/, "ws")}/socket`, { params: { token }, transport: WebSocket }),
      ),
      (opened) => Effect.sync(() => opened.disconnect()),
    )
    const reply = (push: ReturnType<Channel["join"]>) =>
      Effect.callback<Message, Error>((resume) => {
        push
          .receive("ok", (response) => resume(Effect.succeed(response)))
          .receive("error", (response) => resume(Effect.fail(new Error(JSON.stringify(response)))))
      })
    socket.connect()
    const channel = socket.channel(`chat:room:${room}`, params)
    const joined = yield* reply(channel.join())
    const { messages, recovered } = joined
    return {
      messages: Array.isArray(messages) ? messages : [],
      recovered,
      say: (content) => Effect.orDie(reply(channel.push("new_message", { content }))),
    }
  })
