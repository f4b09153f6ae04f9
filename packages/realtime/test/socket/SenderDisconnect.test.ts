/** What was said before the sender hung up: told to the room, it must be told to the bus too, where moderation reads. */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect } from "effect"
import * as GatedHistory from "../support/GatedHistory.ts"
import { joined, start } from "../support/TestServer.ts"

describe("a sender who hangs up at once", () => {
  it.live.each([
    { type: "chat.message", topic: "chat:room:r1", event: "new_message" },
    { type: "comment.created", topic: "comments:stream:s1", event: "new_comment" },
  ] as const)("kept $type from the bus, and so from moderation", ({ type, topic, event }) =>
    Effect.gen(function* () {
      const history = yield* GatedHistory.make
      const server = yield* start({}, 0, history.layer)
      const told = yield* Deferred.make<Record<string, unknown>>()
      yield* Context.get(server.services, EventBus).subscribe(Address.event(type), ({ body }) => {
        Deferred.doneUnsafe(told, Effect.succeed(JSON.parse(new TextDecoder().decode(body)).payload))
      })
      const ann = yield* joined(server, topic, { user: "ann" })
      ann.send("1", "2", topic, event, { content: "said and gone" })
      yield* history.asked
      ann.ws.terminate()
      yield* Effect.repeat(Effect.yieldNow, { while: () => server.topics.subscriberCount(topic) > 0 })
      yield* history.open
      assert.strictEqual((yield* Deferred.await(told))["content"], "said and gone")
      yield* Effect.repeat(Effect.yieldNow, { while: () => server.endpoint.size() > 0 })
    }),
  )

  it.live("lost the messages that waited behind one another", () =>
    Effect.gen(function* () {
      const history = yield* GatedHistory.make
      const server = yield* start({}, 0, history.layer)
      const bob = yield* joined(server, room, { user: "bob" })
      const ann = yield* joined(server, room, { user: "ann" })
      for (const content of said) ann.send("1", null, room, "new_message", { content })
      yield* history.asked
      ann.ws.close()
      yield* Effect.repeat(Effect.yieldNow, { while: () => server.topics.subscriberCount(room) > 1 })
      yield* history.open
      for (const content of said) assert.strictEqual((yield* bob.next)[4]["content"], content)
    }),
  )

  it.live("was heard on although an operator had ended the socket", () =>
    Effect.gen(function* () {
      const history = yield* GatedHistory.make
      const server = yield* start({}, 0, history.layer)
      const bob = yield* joined(server, room, { user: "bob" })
      const ann = yield* joined(server, room, { user: "ann" })
      for (const content of said) ann.send("1", null, room, "new_message", { content })
      yield* history.asked
      for (const socket of server.endpoint.sockets()) if (socket.identity.userId === "ann") socket.kick("enough")
      yield* ann.close
      yield* history.open
      assert.strictEqual((yield* bob.next)[4]["content"], said[0])
      yield* Effect.repeat(Effect.yieldNow, { while: () => server.endpoint.size() > 1 })
      yield* bob.nothing
    }),
  )
})

describe("a page that sends, leaves and shows the room again at once", () => {
  it.live.each([true, false])("lost what it had sent (it left first: %s)", (leaves) =>
    Effect.gen(function* () {
      const history = yield* GatedHistory.make
      const server = yield* start({}, 0, history.layer)
      const bob = yield* joined(server, room, { user: "bob" })
      const ann = yield* joined(server, room, { user: "ann" })
      for (const content of said) ann.send("1", content, room, "new_message", { content })
      if (leaves) ann.send("1", "leave", room, "phx_leave", {})
      ann.send("9", "9", room, "phx_join", { last: 0 })
      yield* ann.nothing
      yield* history.open
      for (const content of said) assert.strictEqual((yield* bob.next)[4]["content"], content)
      const refs = leaves ? [...said, "leave", "1", "9"] : [...said, "9", "1"]
      const answers: Array<unknown> = []
      const heard: Array<unknown> = []
      while (answers.length < refs.length || heard.length < said.length) {
        const [, ref, , event, payload] = yield* ann.next
        if (event === "new_message") heard.push(payload["content"])
        else answers.push(ref)
      }
      assert.deepStrictEqual([answers, heard], [refs, said])
      yield* ann.nothing
    }),
  )
})

const room = "chat:room:r1"
const said = ["one", "two", "three"]
