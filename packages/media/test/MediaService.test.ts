/** The service on the worker loop and a bus in memory, as a publisher and a listener see it. */
import { event, live } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { type AnyEvent, type EventOf } from "@armoricore/domain/Events"
import * as EventCodec from "@armoricore/domain/EventCodec"
import * as MediaService from "@armoricore/media/MediaService"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import * as Testing from "@armoricore/testing/Testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Option, Schedule } from "effect"
import { ffmpeg, h264, picture } from "./support/Clips.ts"
import { missing, options, programs, store, uploaded, urls } from "./support/Pipeline.ts"

const service = Layer.unwrap(
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const workFolder = yield* fs.makeTempDirectoryScoped()
    return MediaService.layer({ ...options, workFolder })
  }),
).pipe(Layer.provideMerge(Layer.mergeAll(Testing.layer, urls)), Layer.provideMerge(programs))

const publish = Effect.fnUntraced(function* (message: EventOf<"media.uploaded">) {
  const bus = yield* EventBus
  const body = new TextEncoder().encode(JSON.stringify(message))
  yield* bus.publish({ address: event("media.uploaded"), id: message.event_id, body })
})

/** Everything told about media from now on. */
const listen = Effect.gen(function* () {
  const bus = yield* EventBus
  const heard: Array<AnyEvent> = []
  const bodies: Array<Uint8Array> = []
  yield* bus.listen("all-events", ({ body }) => void bodies.push(body))
  yield* bus.listen(live("media.>"), ({ body }) => void bodies.push(body))
  yield* Effect.forkChild(
    Effect.forever(
      Effect.gen(function* () {
        for (const body of bodies.splice(0)) {
          const decoded = yield* Effect.result(EventCodec.decode(body))
          if (decoded._tag === "Success") heard.push(decoded.success.event)
        }
        yield* Effect.sleep("20 millis")
      }),
    ),
  )
  return heard
})

const until = (is: () => boolean) =>
  Effect.suspend(() => (is() ? Effect.void : Effect.fail(new Error("not yet")))).pipe(
    Effect.retry({ schedule: Schedule.spaced("50 millis"), times: 400 }),
  )

describe.skipIf(missing)("MediaService", () => {
  it.live("answers each upload once, the bad ones too, and goes on", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const bus = yield* EventBus
      const heard = yield* listen
      const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" })
      yield* ffmpeg([...picture({ seconds: 2 }), ...h264, file])

      const text = uploaded("text", yield* store("text.mp4", new TextEncoder().encode("no film")))
      const good = uploaded("good", yield* store("good.mp4", file))
      const { media_id: _, ...rest } = good.payload
      const without = { ...uploaded("x", "s3://media/good.mp4"), payload: rest }
      yield* bus.publish({
        address: event("media.uploaded"),
        id: without.event_id,
        body: new TextEncoder().encode(JSON.stringify(without)),
      })
      yield* publish(text)
      yield* publish(good)
      yield* publish(good)
      yield* until(() => heard.some(({ event_type }) => event_type === "media.ready"))

      const results = heard.filter(({ event_type }) => event_type === "media.ready" || event_type === "media.failed")
      assert.deepStrictEqual(
        results.map(({ event_type, payload }) => [event_type, "media_id" in payload ? payload.media_id : ""]),
        [
          ["media.failed", "text"],
          ["media.ready", "good"],
        ],
      )
      const percents = heard.flatMap((one) =>
        one.event_type === "media.progress" && one.payload.media_id === "good" ? [one.payload.percent] : [],
      )
      assert.strictEqual(percents.at(-1), 100)
      const letters = yield* bus.deadLetters.list({ limit: 10 })
      assert.deepStrictEqual(
        letters.map(({ id }) => id.length > 0),
        [true],
      )
      // The failure's own event brings it into the state record.
      const states = yield* Collection.make(mediaStates)
      const status = Effect.map(states.get("text"), (found) => Option.getOrUndefined(found)?.value.status)
      yield* Effect.retry(
        Effect.filterOrFail(
          status,
          (is) => is === "failed",
          () => new Error("not yet"),
        ),
        { schedule: Schedule.spaced("50 millis"), times: 100 },
      )
    }).pipe(Effect.provide(service)),
  )
})
