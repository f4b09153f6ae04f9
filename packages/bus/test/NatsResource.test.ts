import * as NatsServer from "@armoricore/testing/NatsServer"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect } from "nats"
import { addStream } from "../src/nats/NatsResource.ts"

const wanted = { name: "MINE", subjects: ["mine.>"] }

const opened = Effect.gen(function* () {
  const { url } = yield* NatsServer.make()
  const client = yield* Effect.acquireRelease(
    Effect.promise(() => connect({ servers: url })),
    (opened) => Effect.promise(() => opened.close()),
  )
  return yield* Effect.promise(() => client.jetstreamManager())
})

describe.skipIf(Programs.need("nats-server").missing)("adding a stream", () => {
  it.live("a start at the same time as others ended with: subjects overlap with an existing stream", () =>
    Effect.gen(function* () {
      const manager = yield* opened
      const add = manager.streams.add.bind(manager.streams)
      // What the server answers now and then where the other's request is half done.
      manager.streams.add = async (config) => {
        await add(config)
        return add({ ...config, name: "HALF" })
      }
      assert.isFalse(yield* addStream("stream MINE", manager, wanted))
    }),
  )

  it.live("says what to do where somebody else's stream takes the subjects", () =>
    Effect.gen(function* () {
      const manager = yield* opened
      yield* Effect.promise(() => manager.streams.add({ name: "THEIRS", subjects: ["mine.*"] }))
      const error = yield* Effect.flip(addStream("stream MINE", manager, wanted))
      assert.strictEqual(error._tag, "ConfigurationError")
      assert.include(error.message, "Another stream on the NATS server takes subjects of stream MINE")
      assert.include(error.message, "nats stream ls --subjects")
    }),
  )
})
