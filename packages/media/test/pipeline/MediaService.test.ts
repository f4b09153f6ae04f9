/** The media service on an in-memory bus, observed through its events. */
import "../support/NpmProgramsFirst.ts"
import { event, ephemeral, work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { type AnyEvent, type EventOf } from "@armoricore/domain/EventRegistry"
import * as EventCodec from "@armoricore/domain/EventCodec"
import * as MediaService from "@armoricore/media/pipeline/MediaService"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { eventually } from "@armoricore/testing/Eventually"
import * as Testing from "@armoricore/testing/Testing"
import { assert, describe, it } from "@effect/vitest"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Quota } from "@armoricore/media/pipeline/Quota"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir"
import { Effect, FileSystem, Layer, Option, Stream } from "effect"
import { ffmpeg, h264, testVideo } from "../support/Clips.ts"
import { isFfmpegMissing, options, programs, storeUpload, uploaded, playbackUrls } from "../support/Pipeline.ts"

const service = Layer.unwrap(
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const workFolder = yield* fs.makeTempDirectoryScoped()
    const transcode = UploadPipeline.layer(options).pipe(Layer.provide([ScratchDir.layer(workFolder), Quota.layerNoop]))
    return Layer.provideMerge(MediaService.layerNoDeps(options), transcode)
  }),
).pipe(Layer.provideMerge(Layer.mergeAll(Testing.layer, playbackUrls)), Layer.provideMerge(programs))

const publish = Effect.fnUntraced(function* (message: EventOf<"media.uploaded">) {
  const bus = yield* EventBus
  const body = new TextEncoder().encode(JSON.stringify(message))
  yield* bus.publish({ address: event("media.uploaded"), id: message.event_id, body })
})

/** All events that are published from now on. */
const recordEvents = Effect.gen(function* () {
  const bus = yield* EventBus
  const events: Array<AnyEvent> = []
  const bodies: Array<Uint8Array> = []
  yield* bus.subscribe("all-events", ({ body }) => void bodies.push(body))
  yield* bus.subscribe(ephemeral("media.>"), ({ body }) => void bodies.push(body))
  yield* Effect.forkChild(
    Effect.forever(
      Effect.gen(function* () {
        for (const body of bodies.splice(0)) {
          const decoded = yield* Effect.result(EventCodec.decode(body))
          if (decoded._tag === "Success") events.push(decoded.success.event)
        }
        yield* Effect.sleep("20 millis")
      }),
    ),
  )
  return events
})

const until = (condition: () => boolean) => eventually(condition, { timeout: "1 minute" })

describe.skipIf(isFfmpegMissing)("MediaService", () => {
  it.live("publishes one result for each upload, also for invalid ones", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const bus = yield* EventBus
      const events = yield* recordEvents
      const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" })
      yield* ffmpeg([...testVideo({ seconds: 2 }), ...h264, file])

      const text = uploaded("text", yield* storeUpload("text.mp4", new TextEncoder().encode("no film")))
      const good = uploaded("good", yield* storeUpload("good.mp4", file))
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
      yield* until(() => events.some(({ event_type }) => event_type === "media.ready"))

      const results = events.filter(({ event_type }) => event_type === "media.ready" || event_type === "media.failed")
      assert.deepStrictEqual(
        results.map(({ event_type, payload }) => [event_type, "media_id" in payload ? payload.media_id : ""]),
        [
          ["media.failed", "text"],
          ["media.ready", "good"],
        ],
      )
      const percents = events.flatMap((one) =>
        one.event_type === "media.progress" && one.payload.media_id === "good" ? [one.payload.percent] : [],
      )
      assert.strictEqual(percents.at(-1), 100)
      const deadLetters = yield* bus.deadLetters.list({ limit: 10 })
      assert.deepStrictEqual(
        deadLetters.map(({ id }) => id.length > 0),
        [true],
      )
      // The state record gets the failure from the media.failed event.
      const states = yield* Collection.make(mediaStates)
      const status = Effect.map(states.get("text"), (found) => Option.getOrUndefined(found)?.value.status)
      yield* eventually(status, (current) => current === "failed")
    }).pipe(Effect.provide(service)),
  )

  /** Sends a command as the API does. */
  const sendCommand = Effect.fnUntraced(function* (kind: string, id: string, payload: object) {
    const bus = yield* EventBus
    const body = new TextEncoder().encode(JSON.stringify({ cause_id: id, payload }))
    yield* bus.publish({ address: work("media", kind), id, body })
  })
  const named = (events: ReadonlyArray<AnyEvent>, type: string) => events.filter((one) => one.event_type === type)

  it.live("cancels a running upload, retries it and deletes the media with all its objects", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const storage = yield* ObjectStorage
      const states = yield* Collection.make(mediaStates)
      const events = yield* recordEvents
      const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" })
      yield* ffmpeg([...testVideo({ size: "320x180", seconds: 60 }), ...h264, file])
      const upload = uploaded("long", yield* storeUpload("uploads/u1/long/a.mp4", file))
      yield* publish(upload)
      yield* until(() =>
        events.some((one) => one.event_type === "media.progress" && one.payload.stage === "transcoding"),
      )
      yield* sendCommand("control", "00000000-0000-4000-9000-000000000001", { action: "cancel", media_id: "long" })
      yield* until(() => named(events, "media.failed").length === 1)
      assert.include(JSON.stringify(named(events, "media.failed")), '"cancelled"')
      const status = Effect.map(states.get("long"), (found) => Option.getOrUndefined(found)?.value.status)
      yield* eventually(status, (current) => current === "failed")

      // Replaced by a short file, so that the retry is fast.
      yield* ffmpeg([...testVideo({ size: "64x64", seconds: 1 }), ...h264, file])
      yield* storeUpload("uploads/u1/long/a.mp4", file)
      yield* sendCommand("retry", "00000000-0000-4000-9000-000000000002", { media_id: "long", user_id: "u1" })
      yield* until(() => named(events, "media.ready").length === 1)

      const left = Effect.map(
        Effect.all([
          Stream.runCollect(storage.list("media", "media/long/")),
          Stream.runCollect(storage.list("media", "uploads/u1/long/")),
        ]),
        (found) => found.flat().length,
      )
      assert.isAbove(yield* left, 1)
      yield* sendCommand("control", "00000000-0000-4000-9000-000000000003", { action: "delete", media_id: "long" })
      yield* eventually(left, (count) => count === 0)
      // A redelivered upload does not restore a deleted media.
      const { processUpload } = yield* UploadPipeline
      assert.strictEqual((yield* processUpload(upload, { fencingToken: 9 }))._tag, "Superseded")
    }).pipe(Effect.provide(service)),
  )
})
