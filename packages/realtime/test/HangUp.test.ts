/** What was said before the sender hung up: told to the room, it must be told to the bus too, where moderation reads. */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect } from "effect"
import * as SlowHistory from "./SlowHistory.ts"
import { joined, start } from "./TestServer.ts"

describe("a sender who hangs up at once", () => {
  it.live.each([
    { type: "chat.message", topic: "chat:room:r1", event: "new_message" },
    { type: "comment.created", topic: "comments:stream:s1", event: "new_comment" },
  ] as const)("kept $type from the bus, and so from moderation", ({ type, topic, event }) =>
    Effect.gen(function* () {
      const history = yield* SlowHistory.make
      const server = yield* start({}, 0, history.layer)
      const told = yield* Deferred.make<Record<string, unknown>>()
      yield* Context.get(server.services, EventBus).listen(Address.event(type), ({ body }) => {
        Deferred.doneUnsafe(told, Effect.succeed(JSON.parse(new TextDecoder().decode(body)).payload))
      })
      const ann = yield* joined(server, topic, { user: "ann" })
      ann.send("1", "2", topic, event, { content: "said and gone" })
      yield* history.asked
      ann.ws.terminate()
      yield* Effect.repeat(Effect.yieldNow, { while: () => server.topics.size(topic) > 0 })
      yield* history.open
      assert.strictEqual((yield* Deferred.await(told))["content"], "said and gone")
      yield* Effect.repeat(Effect.yieldNow, { while: () => server.endpoint.size() > 0 })
    }),
  )
})
