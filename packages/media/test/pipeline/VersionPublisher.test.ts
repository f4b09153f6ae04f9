/** The order of objects, concurrent uploads and owners of one media, and the removal of old versions. */
import "../support/NpmProgramsFirst.ts"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import { TransientError } from "@armoricore/domain/Errors"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { type ObjectRef, ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { assert, describe, it, layer } from "@effect/vitest"
import { Duration, Effect, Fiber, FileSystem, Layer, Option, Path, Result, Stream } from "effect"
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts"
import {
  failedEvent,
  isFfmpegMissing,
  ScratchParent,
  pipeline,
  prefixOf,
  storeUpload,
  uploaded,
} from "../support/Pipeline.ts"
import { eventually } from "@armoricore/testing/Eventually"
import { waitForProcesses } from "@armoricore/testing/Processes"

const clip = Effect.fnUntraced(function* (name: string, seconds = 1) {
  const fs = yield* FileSystem.FileSystem
  const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" })
  yield* ffmpeg([...testVideo({ size: "320x240", seconds }), ...tone(seconds), ...h264, file])
  return yield* storeUpload(`uploads/${name}.mp4`, file)
})

const keys = Effect.fnUntraced(function* (prefix: string) {
  const storage = yield* ObjectStorage
  return (yield* Stream.runCollect(storage.list("media", prefix))).map(({ key }) => key)
})

const state = Effect.fnUntraced(function* (mediaId: string) {
  const states = yield* Collection.make(mediaStates)
  return Option.getOrThrow(yield* states.get(mediaId)).value
})

const ready = Effect.fnUntraced(function* (event: ReturnType<typeof uploaded>, fencingToken: number) {
  const { processUpload } = yield* UploadPipeline
  const outcome = yield* processUpload(event, { fencingToken })
  return outcome._tag === "Ready" ? outcome.ready : yield* Effect.die(new Error("superseded"))
})

describe.skipIf(isFfmpegMissing)("VersionPublisher", () => {
  layer(pipeline(), { excludeTestServices: true })((it) => {
    it.effect("updates the state record and reports rising progress", () =>
      Effect.gen(function* () {
        const { processUpload } = yield* UploadPipeline
        const event = uploaded("progress", yield* clip("progress", 4))
        const seen: Array<readonly [string, number]> = []
        yield* processUpload(event, { fencingToken: 1 }, (stage, percent) =>
          Effect.sync(() => void seen.push([stage, percent])),
        )
        const percents = seen.map(([, percent]) => percent)
        assert.deepStrictEqual(
          percents,
          [...percents].sort((a, b) => a - b),
        )
        assert.strictEqual(percents.at(-1), 100)
        assert.deepStrictEqual(
          [...new Set(seen.map(([stage]) => stage))],
          ["downloading", "probing", "transcoding", "publishing"],
        )
        const record = yield* state("progress")
        assert.deepStrictEqual([record.status, record.percent, record.source_event_id], ["ready", 100, event.event_id])
        assert.deepStrictEqual(
          record.renditions.map(({ name, width, height }) => [name, width, height]),
          [["240p", 320, 240]],
        )
        assert.hasAllKeys(record.timings, ["downloading", "probing", "transcoding", "publishing"])
      }),
    )

    it.effect("a new upload gets new URLs, and the previous version stays until the next publication", () =>
      Effect.gen(function* () {
        const path = yield* clip("again")
        const versions: Array<string> = []
        for (const token of [1, 1, 1]) versions.push(prefixOf(yield* ready(uploaded("again", path), token)))
        const [first = "", second = "", third = ""] = versions
        assert.strictEqual(new Set(versions).size, 3)
        assert.deepStrictEqual(yield* keys(first), [])
        assert.isNotEmpty(yield* keys(second))
        assert.isNotEmpty(yield* keys(third))
        assert.strictEqual((yield* state("again")).version?.generation, 3)
      }),
    )

    it.effect("the older of two uploads does not replace the newer one", () =>
      Effect.gen(function* () {
        const path = yield* clip("order")
        const older = uploaded("order", yield* clip("order-long", 60))
        const newer = uploaded("order", path)
        const { processUpload } = yield* UploadPipeline
        // The older upload starts first and is still running when the newer one is published.
        const running = yield* Effect.forkChild(processUpload(older, { fencingToken: 1 }))
        const states = yield* Collection.make(mediaStates)
        yield* eventually(Effect.map(states.get("order"), Option.isSome))
        const published = yield* ready(newer, 1)
        const late = yield* Fiber.join(running)
        const again = yield* processUpload(older, { fencingToken: 2 })
        assert.strictEqual(late._tag, "Superseded")
        const record = yield* state("order")
        assert.strictEqual(record.ready?.playback_urls.hls, published.playback_urls.hls)
        assert.strictEqual(again._tag, "Superseded")
        assert.isNotEmpty(yield* keys(prefixOf(published)))
      }),
    )

    it.effect("a replay of a published upload returns the same result", () =>
      Effect.gen(function* () {
        const event = uploaded("replayed", yield* clip("replayed"))
        const first = yield* ready(event, 1)
        assert.deepStrictEqual(yield* ready(event, 2), first)
        // If the published stream is missing, it is encoded again.
        const storage = yield* ObjectStorage
        yield* storage.remove({ bucket: "media", key: `${prefixOf(first)}master.m3u8` })
        assert.notStrictEqual((yield* ready(event, 3)).playback_urls.hls, first.playback_urls.hls)
      }),
    )

    it.effect("records a failure and removes the output of its attempts", () =>
      Effect.gen(function* () {
        const { recordFailure, processUpload } = yield* UploadPipeline
        const event = uploaded("lost", "s3://media/uploads/none.mp4")
        yield* Effect.flip(processUpload(event, { fencingToken: 1 }))
        const record = yield* state("lost")
        const storage = yield* ObjectStorage
        const left = { bucket: "media", key: `${record.attempts[0]?.prefix ?? ""}240p/00000.m4s` }
        yield* storage.put<never, never>(left, new Uint8Array(3), { contentType: "video/mp4" })
        yield* recordFailure(failedEvent(event, "source_missing"))
        const after = yield* state("lost")
        assert.deepStrictEqual([after.status, after.failed?.error.code], ["failed", "source_missing"])
        assert.deepStrictEqual(yield* keys("media/lost/"), [])
      }),
    )

    it.effect("the failure of an older upload does not change the newer one", () =>
      Effect.gen(function* () {
        const { recordFailure, processUpload } = yield* UploadPipeline
        const older = uploaded("mixed", "s3://media/uploads/none.mp4")
        yield* Effect.flip(processUpload(older, { fencingToken: 1 }))
        yield* ready(uploaded("mixed", yield* clip("mixed")), 1)
        yield* recordFailure(failedEvent(older, "source_missing"))
        assert.strictEqual((yield* state("mixed")).status, "ready")
      }),
    )

    it.effect.skipIf(process.platform !== "linux")(
      "an interruption kills ffmpeg, publishes no playlist and removes the work folder",
      () =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const path = yield* Path.Path
          const { processUpload } = yield* UploadPipeline
          const parent = yield* ScratchParent
          const fiber = yield* Effect.forkChild(
            processUpload(uploaded("stopped", yield* clip("stopped", 40)), { fencingToken: 1 }),
          )
          yield* waitForProcesses(parent, "ffmpeg", (count) => count > 0)
          yield* Fiber.interrupt(fiber)
          yield* waitForProcesses(parent, "ffmpeg", (count) => count === 0)
          for (const own of yield* fs.readDirectory(parent)) {
            assert.deepStrictEqual(yield* fs.readDirectory(path.join(parent, own)), [])
          }
          assert.isEmpty((yield* keys("media/stopped/")).filter((key) => key.endsWith(".m3u8")))
        }),
    )
  })

  /** Records every upload, and fails those that a test selects. */
  const observed = (puts: Array<string>, fails: (ref: ObjectRef) => boolean) =>
    Layer.effect(
      ObjectStorage,
      Effect.map(ObjectStorage, (storage) =>
        ObjectStorage.of({
          ...storage,
          put: (ref, body, options) =>
            fails(ref)
              ? Effect.fail(new TransientError({ dependency: "storage", code: "unavailable", message: "down" }))
              : Effect.tap(storage.put(ref, body, options), () => Effect.sync(() => void puts.push(ref.key))),
        }),
      ),
    )

  it.live("uploads segments while ffmpeg runs, and the master playlist after all objects that it names", () =>
    Effect.gen(function* () {
      const puts: Array<string> = []
      const whenFirst: Array<string> = []
      yield* Effect.gen(function* () {
        const { processUpload } = yield* UploadPipeline
        const path = yield* clip("watched", 20)
        puts.length = 0
        yield* processUpload(uploaded("watched", path), { fencingToken: 1 }, (stage) =>
          Effect.sync(() => {
            if (stage === "publishing" && whenFirst.length === 0) whenFirst.push(...puts)
          }),
        )
      }).pipe(
        Effect.provide(
          pipeline(
            {},
            observed(puts, () => false),
          ),
        ),
      )
      assert.isNotEmpty(whenFirst.filter((key) => key.endsWith(".m4s")))
      assert.match(puts.at(-1) ?? "", /master\.m3u8$/)
      const playlist = puts.findIndex((key) => key.endsWith("stream.m3u8"))
      assert.isBelow(
        puts.findLastIndex((key) => key.endsWith(".m4s")),
        playlist,
      )
    }),
  )

  it.live("a storage failure during the encode fails the attempt without a playlist", () =>
    Effect.gen(function* () {
      const puts: Array<string> = []
      yield* Effect.gen(function* () {
        const { processUpload } = yield* UploadPipeline
        const event = uploaded("failing", yield* clip("failing", 20))
        const error = yield* Effect.flip(processUpload(event, { fencingToken: 1 }))
        assert.strictEqual(error._tag, "TransientError")
        assert.isEmpty((yield* keys("media/failing/")).filter((key) => key.endsWith(".m3u8")))
      }).pipe(
        Effect.provide(
          pipeline(
            // On a fast machine, the encode may be over before the storage fails.
            { publishTimeout: Duration.seconds(1) },
            observed(puts, ({ key }) => key.endsWith("00001.m4s")),
          ),
        ),
      )
    }),
  )

  const outage = Effect.fnUntraced(function* (name: string, times: number, changes: Parameters<typeof pipeline>[0]) {
    const puts: Array<string> = []
    let left = times
    return yield* Effect.gen(function* () {
      const { processUpload } = yield* UploadPipeline
      const event = uploaded(name, yield* clip(name, 5))
      const result = yield* Effect.result(processUpload(event, { fencingToken: 1 }))
      return { result, puts, left, there: yield* keys(`media/${name}/`) }
    }).pipe(
      Effect.provide(
        pipeline(
          changes,
          observed(puts, ({ key }) => key.endsWith("stream.m3u8") && --left >= 0),
        ),
      ),
    )
  })

  it.live("a storage outage after the encode does not cause a second encode", () =>
    Effect.gen(function* () {
      const { left, puts, result } = yield* outage("waiting", 5, {})
      assert.isTrue(Result.isSuccess(result), String(result))
      assert.isBelow(left, 0)
      const segments = puts.filter((key) => key.endsWith(".m4s"))
      assert.isNotEmpty(segments)
      assert.strictEqual(new Set(segments).size, segments.length)
      assert.match(puts.at(-1) ?? "", /master\.m3u8$/)
    }),
  )

  it.live("a storage outage fails the attempt after the publish timeout, without a manifest", () =>
    Effect.gen(function* () {
      const { result, there } = yield* outage("timed-out", Number.POSITIVE_INFINITY, {
        publishTimeout: Duration.seconds(1),
      })
      assert.isTrue(Result.isFailure(result) && result.failure._tag === "TransientError", String(result))
      assert.isEmpty(there.filter((key) => /\.(m3u8|mpd)$/.test(key)))
    }),
  )
})
