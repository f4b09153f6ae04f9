/** A stream that is playable during its encode. */
import "../support/NpmProgramsFirst.ts"
import { event, ephemeral, work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { resultEventId } from "@armoricore/domain/DeterministicId"
import type { AnyEvent, EventOf } from "@armoricore/domain/EventRegistry"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir"
import type { PlayableEvent } from "@armoricore/media/pipeline/PlayableEvent"
import * as MediaPlaylist from "@armoricore/media/packaging/MediaPlaylist"
import * as MediaService from "@armoricore/media/pipeline/MediaService"
import { Quota } from "@armoricore/media/pipeline/Quota"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import * as Collection from "@armoricore/state/Collection"
import type { KeyValue } from "@armoricore/state/KeyValue"
import { mediaStates } from "@armoricore/state/MediaStates"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { eventually } from "@armoricore/testing/Eventually"
import * as Testing from "@armoricore/testing/Testing"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, FileSystem, Layer, Option, Result, Schedule, Stream } from "effect"
import * as HLS from "hls-parser"
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts"
import { isFfmpegMissing, options, programs, storeUpload, uploaded, playbackUrls } from "../support/Pipeline.ts"
import { layerThrottled } from "../support/ThrottledFfmpeg.ts"

const service = Layer.unwrap(
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const workFolder = yield* fs.makeTempDirectoryScoped()
    const transcode = UploadPipeline.layer({ ...options, ladder: [{ shortSide: 64, kilobits: 200 }] }).pipe(
      Layer.provide([ScratchDir.layer(workFolder), Quota.layerNoop]),
      Layer.provide(layerThrottled(4)),
    )
    return Layer.provideMerge(MediaService.layerNoDeps(options), transcode)
  }),
).pipe(Layer.provideMerge(Layer.mergeAll(Testing.layer, playbackUrls)), Layer.provideMerge(programs))

const textOf = Effect.fnUntraced(function* (url: string) {
  const storage = yield* ObjectStorage
  const { body, info } = yield* storage.get({ bucket: "media", key: url.slice("http://cdn.invalid/media/".length) })
  return { text: yield* Stream.mkString(Stream.decodeText(body)), info }
})

const clip = Effect.fnUntraced(function* (name: string, seconds: number) {
  const fs = yield* FileSystem.FileSystem
  const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" })
  yield* ffmpeg([...testVideo({ size: "96x64", seconds }), ...tone(seconds), ...h264, "-c:a", "aac", "-shortest", file])
  return uploaded(name, yield* storeUpload(`uploads/u1/${name}/a.mp4`, file))
})

/** Records the stored events in order, each with the result of `inspect` when it arrives. */
const recordEvents = Effect.fnUntraced(function* <A>(
  inspect: (event: AnyEvent) => Effect.Effect<A, unknown, ObjectStorage | KeyValue>,
) {
  const bus = yield* EventBus
  const events: Array<{ readonly event: AnyEvent; readonly result: A | undefined }> = []
  const bodies: Array<Uint8Array> = []
  yield* bus.subscribe("all-events", ({ body }) => void bodies.push(body))
  const next = Effect.gen(function* () {
    for (const body of bodies.splice(0)) {
      const { event } = yield* EventCodec.decode(body)
      events.push({ event, result: Option.getOrUndefined(yield* Effect.option(inspect(event))) })
    }
    yield* Effect.sleep("10 millis")
  })
  yield* Effect.forkScoped(Effect.forever(next))
  return events
})

const publish = Effect.fnUntraced(function* (message: EventOf<"media.uploaded">) {
  const bus = yield* EventBus
  const body = new TextEncoder().encode(JSON.stringify(message))
  yield* bus.publish({ address: event("media.uploaded"), id: message.event_id, body })
})

const stateOf = Effect.fnUntraced(function* (id: string) {
  const states = yield* Collection.make(mediaStates)
  return Option.getOrUndefined(yield* states.get(id))?.value
})

const nothing = () => Effect.void

describe.skipIf(isFfmpegMissing)("media.playable", () => {
  it.live("is published once, before media.ready, and its URL is playable from then on", () =>
    Effect.gen(function* () {
      const upload = yield* clip("film", 13)
      const events = yield* recordEvents((published) =>
        Effect.gen(function* () {
          if (published.event_type !== "media.playable") return undefined
          const { hls } = published.payload.playback_urls
          const master = yield* textOf(hls)
          const names = MediaPlaylist.parse(master.text).segments
          const folder = hls.slice(0, hls.lastIndexOf("/") + 1)
          const lists = yield* Effect.forEach([...names, "audio/stream.m3u8"], (name) => textOf(`${folder}${name}`))
          const state = yield* stateOf("film")
          return { master, names, lists, state }
        }),
      )
      yield* publish(upload)
      yield* eventually(() => events.some(({ event }) => event.event_type === "media.ready"))
      const types = events.map(({ event }) => event.event_type)
      assert.deepStrictEqual(types, ["media.uploaded", "media.playable", "media.ready"])
      const [, playable, ready] = events
      assert.isDefined(playable?.result)
      if (playable?.result === undefined || playable.event.event_type !== "media.playable") return
      const { lists, master, state } = playable.result
      assert.match(master.info.cacheControl ?? "", /max-age=1$/)
      const parsed = HLS.parse(master.text)
      assert.isTrue(parsed instanceof HLS.types.MasterPlaylist && parsed.variants.length === 2)
      for (const { text } of lists) {
        // An incomplete stream has no end tag.
        assert.include(text, "#EXT-X-PLAYLIST-TYPE:EVENT")
        assert.notInclude(text, "#EXT-X-ENDLIST")
        assert.include(text, "#EXT-X-TARGETDURATION:4\n")
        assert.isAtLeast(MediaPlaylist.parse(text).segments.length, 1)
        assert.isBelow(MediaPlaylist.parse(text).segments.length, 4)
      }
      assert.deepStrictEqual(state?.playable, playable.event.payload)
      assert.strictEqual(state?.status, "processing")

      // The same URL now has the complete stream.
      assert.isTrue(ready?.event.event_type === "media.ready")
      if (ready?.event.event_type !== "media.ready") return
      assert.strictEqual(ready.event.payload.playback_urls.hls, playable.event.payload.playback_urls.hls)
      const after = yield* textOf(playable.event.payload.playback_urls.hls)
      assert.include(after.text, "EXT-X-I-FRAME-STREAM-INF")
      const list = yield* textOf(playable.event.payload.playback_urls.hls.replace("master", "64p/stream"))
      assert.include(list.text, "#EXT-X-ENDLIST")
      assert.lengthOf(MediaPlaylist.parse(list.text).segments, 4)
      const version = playable.event.payload.playback_urls.hls.split("/").at(-2) ?? ""
      assert.strictEqual(playable.event.event_id, resultEventId(upload.event_id, "media.playable", version))
    }).pipe(Effect.provide(service), Effect.scoped),
  )

  it.live("precedes media.ready of a short clip too, and is never published for a corrupt file", () =>
    Effect.gen(function* () {
      const events = yield* recordEvents(nothing)
      yield* publish(yield* clip("short", 1))
      yield* publish(
        uploaded("broken", yield* storeUpload("uploads/u1/broken/a.mp4", new TextEncoder().encode("no film"))),
      )
      yield* eventually(() => events.some(({ event }) => event.event_type === "media.failed"))
      assert.deepStrictEqual(
        events.map(({ event }) => event.event_type).filter((type) => type !== "media.uploaded"),
        ["media.playable", "media.ready", "media.failed"],
      )
    }).pipe(Effect.provide(service), Effect.scoped),
  )

  it.live("a cancelled upload loses its playable URL and its objects", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const storage = yield* ObjectStorage
      const events = yield* recordEvents(nothing)
      yield* bus.subscribe(ephemeral("media.>"), () => undefined)
      yield* publish(yield* clip("unwanted", 40))
      yield* eventually(() => events.some(({ event }) => event.event_type === "media.playable"))
      const payload = { action: "cancel", media_id: "unwanted" }
      const id = "00000000-0000-4000-9000-000000000011"
      const body = new TextEncoder().encode(JSON.stringify({ cause_id: id, payload }))
      yield* bus.publish({ address: work("media", "control"), id, body })
      yield* eventually(() => events.some(({ event }) => event.event_type === "media.failed"))
      const cancelled = Effect.gen(function* () {
        const state = yield* stateOf("unwanted")
        const remaining = yield* Stream.runCollect(storage.list("media", "media/unwanted/"))
        if (state?.status !== "failed" || remaining.length > 0) return yield* Effect.fail(new Error("not yet"))
        return state
      })
      const state = yield* Effect.retry(cancelled, { schedule: Schedule.spaced("50 millis"), times: 100 })
      assert.isUndefined(state.playable)
      assert.deepStrictEqual(
        events.map(({ event }) => event.event_type),
        ["media.uploaded", "media.playable", "media.failed"],
      )
    }).pipe(Effect.provide(service), Effect.scoped),
  )

  it.live("is published neither by a superseded upload nor by a superseded attempt", () =>
    Effect.gen(function* () {
      const { processUpload } = yield* UploadPipeline
      const published: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const onPlayable = (name: string) => (event: PlayableEvent) =>
        Effect.sync(() => void published.push(`${name} ${event.discriminator}`))
      /** Starts an upload that waits for the gate before it encodes. */
      const startGated = (name: string, upload: EventOf<"media.uploaded">, fencingToken: number) =>
        processUpload(
          upload,
          { fencingToken },
          (stage) => (stage === "probing" ? Deferred.await(gate) : Effect.void),
          onPlayable(name),
        )
      const older = yield* clip("same", 9)
      const newer = { ...older, event_id: "00000000-0000-4000-8000-00000000ffff" }
      const first = yield* Effect.forkChild(startGated("older", older, 1))
      yield* Effect.retry(
        Effect.filterOrFail(stateOf("same"), (state) => state?.source_event_id === older.event_id),
        {
          schedule: Schedule.spaced("10 millis"),
          times: 200,
        },
      )
      const second = yield* Effect.forkChild(startGated("second attempt", older, 2))
      yield* Effect.retry(
        Effect.filterOrFail(stateOf("same"), (state) => state?.attempts.length === 2),
        {
          schedule: Schedule.spaced("10 millis"),
          times: 200,
        },
      )
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.all([Fiber.join(first), Fiber.join(second)], { concurrency: 2 })
      assert.lengthOf(published, 1)
      assert.match(published[0] ?? "", /^second attempt /)
      published.length = 0
      // The media is ready: the redelivered event publishes nothing, a newer upload does.
      yield* processUpload(older, { fencingToken: 3 }, undefined, onPlayable("again"))
      yield* processUpload(newer, { fencingToken: 4 }, undefined, onPlayable("newer"))
      assert.deepStrictEqual(
        published.map((entry) => entry.split(" ")[0]),
        ["newer"],
      )
      const outcome = yield* processUpload(older, { fencingToken: 5 }, undefined, onPlayable("older"))
      assert.strictEqual(outcome._tag, "Superseded")
      assert.lengthOf(published, 1)
    }).pipe(Effect.provide(service), Effect.scoped),
  )

  it.live("is returned with the result if the bus was unavailable before", () =>
    Effect.gen(function* () {
      const { processUpload } = yield* UploadPipeline
      const outcome = yield* Effect.result(
        processUpload(yield* clip("cut-off", 9), { fencingToken: 1 }, undefined, () => Effect.never),
      )
      assert.isTrue(Result.isSuccess(outcome) && outcome.success._tag === "Ready")
      if (Result.isFailure(outcome) || outcome.success._tag !== "Ready") return
      assert.strictEqual(
        outcome.success.playableEvent?.payload.playback_urls.hls,
        outcome.success.ready.playback_urls.hls,
      )
      assert.isUndefined((yield* stateOf("cut-off"))?.playable)
    }).pipe(Effect.provide(service), Effect.scoped),
  )
})
