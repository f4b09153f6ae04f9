/** The example of the documents, compiled and run with the official client. */
import { channel, isErrorReply } from "@armoricore/realtime/client"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Socket } from "phoenix"
import { WebSocket } from "ws"
import { start, type TestServer } from "./support/TestServer.ts"

const connected = Effect.fnUntraced(function* (server: TestServer, user: string) {
  const token = yield* server.token(user)
  const socket = new Socket(server.url, {
    params: { token },
    transport: WebSocket,
    reconnectAfterMs: () => 20,
    rejoinAfterMs: () => 20,
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => socket.disconnect()))
  socket.connect()
  return socket
})

const until = (condition: () => boolean) => Effect.repeat(Effect.sleep(5), { while: () => !condition() })

describe("the typed client", () => {
  it.live("joins, pushes, hears, is refused, leaves", () =>
    Effect.gen(function* () {
      const socket = yield* connected(yield* start(), "u1")
      const room = channel(socket, "chat:room:42", { last: 20 })
      const heard: Array<string> = []
      room.on("new_message", ({ content, seq }) => heard.push(`${seq} ${content}`))
      const { messages, recovered } = yield* Effect.promise(() => room.join())
      assert.deepStrictEqual([messages, recovered], [[], true])
      const sent = yield* Effect.promise(() => room.push("new_message", { content: "hello", client_id: "c1" }))
      assert.strictEqual(sent.room_id, "42")
      const again = yield* Effect.promise(() => room.push("new_message", { content: "hello", client_id: "c1" }))
      assert.strictEqual(again.id, sent.id)
      assert.deepStrictEqual(heard, [`${sent.seq} hello`])
      const refused = yield* Effect.promise(() =>
        room.push("new_message", { content: "" }).then(
          () => undefined,
          (error: unknown) => error,
        ),
      )
      assert.isTrue(isErrorReply(refused) && refused.reason === "invalid_payload")
      // @ts-expect-error the channel has no such event
      const unknown = room.push("new_massage", { content: "x" })
      yield* Effect.promise(() => unknown.catch(() => undefined))
      // @ts-expect-error there is no such topic
      channel(socket, "chats:42", {})
      yield* Effect.promise(() => room.leave())
    }),
  )

  it.live("after a reconnect it is told what came meanwhile, in order and once", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const socket = yield* connected(server, "u1")
      const room = channel(socket, "chat:room:7", {})
      const seen: Array<string> = []
      room.onJoin((reply) => reply.messages.forEach(({ content }) => seen.push(content)))
      room.on("new_message", ({ content }) => seen.push(content))
      yield* Effect.promise(() => room.join())
      yield* Effect.promise(() => room.push("new_message", { content: "1" }))
      const other = channel(yield* connected(server, "u2"), "chat:room:7", { last: 1 })
      yield* Effect.promise(() => other.join())
      socket.disconnect()
      yield* until(() => server.endpoint.size() === 1)
      for (const content of ["2", "3"]) yield* Effect.promise(() => other.push("new_message", { content }))
      socket.connect()
      yield* until(() => seen.length >= 3)
      yield* Effect.promise(() => other.push("new_message", { content: "4" }))
      yield* until(() => seen.length >= 4)
      assert.deepStrictEqual(seen, ["1", "2", "3", "4"])
    }),
  )

  it.live("who began with the last one got only the last one of those missed", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const socket = yield* connected(server, "u1")
      const room = channel(socket, "chat:room:7", { last: 1 })
      const seen: Array<string> = []
      const recovered: Array<boolean> = []
      room.onJoin((reply) => {
        recovered.push(reply.recovered)
        reply.messages.forEach(({ content }) => seen.push(content))
      })
      room.on("new_message", ({ content }) => seen.push(content))
      yield* Effect.promise(() => room.join())
      yield* Effect.promise(() => room.push("new_message", { content: "1" }))
      const other = channel(yield* connected(server, "u2"), "chat:room:7", {})
      yield* Effect.promise(() => other.join())
      socket.disconnect()
      yield* until(() => server.endpoint.size() === 1)
      for (const content of ["2", "3", "4"]) yield* Effect.promise(() => other.push("new_message", { content }))
      socket.connect()
      yield* until(() => recovered.length === 2)
      assert.deepStrictEqual(
        [seen, recovered],
        [
          ["1", "2", "3", "4"],
          [true, true],
        ],
      )
    }),
  )

  it.live("after a history began anew it went on asking from where the old one had ended", () =>
    Effect.gen(function* () {
      const asked: Array<unknown> = []
      const listeners: Array<(payload: Record<string, unknown>) => void> = []
      const push = { receive: () => push }
      const fake = {
        join: () => push,
        leave: () => push,
        push: () => push,
        on: (_: string, listener: (payload: Record<string, unknown>) => void) => listeners.push(listener),
      }
      let params: () => unknown = () => ({})
      const room = channel(
        {
          channel: (_, payload) => {
            params = () => (typeof payload === "function" ? payload() : payload)
            return fake
          },
        },
        "chat:room:7",
        {},
      )
      room.on("new_message", () => {})
      for (const seq of [5000, 1]) {
        for (const listener of listeners) listener({ seq })
        asked.push(params())
      }
      assert.deepStrictEqual(JSON.stringify(asked), '[{"since":5000},{"since":1}]')
    }),
  )
})
