/** The deletion of a media: everything is gone, also after an interruption between any two steps. */
import "../support/NpmProgramsFirst.ts"
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import type { EventOf } from "@armoricore/domain/EventRegistry"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { TransientError } from "@armoricore/domain/Errors"
import * as ChunkedEncodes from "@armoricore/media/chunked/ChunkedEncodes"
import * as Deletion from "@armoricore/media/pipeline/Deletion"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import * as MediaRecord from "@armoricore/media/record/MediaRecord"
import * as Collection from "@armoricore/state/Collection"
import { KeyValue } from "@armoricore/state/KeyValue"
import { erasures } from "@armoricore/state/ErasureStates"
import { mediaDeletions } from "@armoricore/state/MediaStates"
import * as MemoryState from "@armoricore/state/memory/MemoryState"
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage"
import { CdnPurge } from "@armoricore/storage/CdnPurge"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { eventually, expectNothingFor } from "@armoricore/testing/Eventually"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, FileSystem, Layer, Option, Stream } from "effect"
import { ffmpeg, h264, testVideo } from "../support/Clips.ts"
import { canary, findTraces, putText, storeTranscript, storeUnfinishedUpload } from "../support/DeletionTraces.ts"
import { isFfmpegMissing, storeUpload, uploaded } from "../support/Pipeline.ts"
import { publish, service } from "../support/RunningMediaService.ts"

const deleteRequested = (mediaId: string, timestamp: string, number = 1): EventOf<"media.delete_requested"> => ({
  event_type: "media.delete_requested",
  event_id: `00000000-0000-4000-9000-00000000000${number}`,
  timestamp,
  source: "php-backend",
  payload: { media_id: mediaId },
})

/** The `media.ready` and `media.deleted` events from now on. */
const recordResults = Effect.gen(function* () {
  const bus = yield* EventBus
  const results: Array<EventOf<"media.ready"> | EventOf<"media.deleted">> = []
  for (const type of ["media.ready", "media.deleted"] as const) {
    yield* bus.subscribe(Address.event(type), ({ body }) => {
      const decoded = EventCodec.decodeResult(body)
      if (decoded._tag !== "Success") return
      const { event } = decoded.success
      if (event.event_type === "media.ready" || event.event_type === "media.deleted") results.push(event)
    })
  }
  return results
})

describe.skipIf(isFfmpegMissing)("media.delete_requested", () => {
  it.live("removes the stream, the upload, the transcript and their state, and is answered by media.deleted", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const results = yield* recordResults
      const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" })
      yield* ffmpeg([...testVideo({ size: "64x64", seconds: 1 }), ...h264, "-metadata", `title=${canary}`, file])
      const plain = uploaded("m1", yield* storeUpload(`uploads/u1/m1/${canary}.mp4`, file))
      const upload = { ...plain, payload: { ...plain.payload, metadata: { title: canary } } }
      yield* publish(upload)
      yield* eventually(() => results.length === 1, { timeout: "1 minute" })
      yield* storeTranscript("m1")
      assert.isAbove((yield* findTraces("m1")).length, 10)

      yield* publish(deleteRequested("m1", "2026-02-01T12:00:00Z"))
      yield* eventually(() => results.length === 2, { timeout: "1 minute" })
      const deleted = results[1]
      assert.strictEqual(deleted?.event_type, "media.deleted")
      assert.include(deleted?.payload, { media_id: "m1", user_id: "u1" })
      assert.deepStrictEqual(yield* findTraces("m1"), [])

      // An upload that waited in the queue meanwhile does not bring the media back.
      const late = uploaded("m1", yield* storeUpload(`uploads/u1/m1/${canary}.mp4`, file))
      yield* publish(late)
      yield* eventually(Effect.map(findTraces("m1"), (traces) => traces.length === 0))
      const { processUpload } = yield* UploadPipeline
      assert.strictEqual((yield* processUpload(late, { fencingToken: 9 }))._tag, "Superseded")
      // A newer one is a new life of it.
      const again = {
        ...uploaded("m1", yield* storeUpload("uploads/u1/m1/new.mp4", file)),
        timestamp: "2026-02-02T12:00:00Z",
      }
      yield* publish(again)
      yield* eventually(() => results.length === 3, { timeout: "1 minute" })
      assert.strictEqual(results[2]?.event_type, "media.ready")
    }).pipe(Effect.provide(service)),
  )

  it.live("ends a running encode, and nothing of it appears afterwards", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const results = yield* recordResults
      const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" })
      yield* ffmpeg([...testVideo({ size: "320x180", seconds: 60 }), ...h264, "-metadata", `title=${canary}`, file])
      yield* publish(uploaded("m3", yield* storeUpload(`uploads/u1/m3/${canary}.mp4`, file)))
      const storage = yield* ObjectStorage
      const segments = Stream.runCollect(storage.list("media", "media/m3/"))
      yield* eventually(
        Effect.map(segments, ({ length }) => length > 0),
        { timeout: "1 minute" },
      )
      assert.deepStrictEqual(results, [])
      yield* publish(deleteRequested("m3", "2026-02-01T12:00:00Z"))
      yield* eventually(() => results.length === 1, { timeout: "1 minute" })
      assert.include(results[0], { event_type: "media.deleted" })
      yield* expectNothingFor(
        "3 seconds",
        Effect.map(findTraces("m3"), ({ length }) => length > 0),
      )
      assert.lengthOf(results, 1)
    }).pipe(Effect.provide(service)),
  )

  it.live("also removes the objects of a worker that learns of it later", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const results = yield* recordResults
      const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" })
      yield* ffmpeg([...testVideo({ size: "320x180", seconds: 60 }), ...h264, file])
      const upload = uploaded("m6", yield* storeUpload("uploads/u1/m6/a.mp4", file))
      // Not by the bus, so that no cancellation reaches it.
      const work = yield* Effect.forkChild((yield* UploadPipeline).processUpload(upload, { fencingToken: 1 }))
      const storage = yield* ObjectStorage
      const hasSegments = Effect.map(Stream.runCollect(storage.list("media", "media/m6/")), ({ length }) => length > 0)
      yield* eventually(hasSegments, { timeout: "1 minute" })
      yield* publish(deleteRequested("m6", "2026-02-01T12:00:00Z"))
      yield* eventually(() => results.length === 1, { timeout: "1 minute" })
      yield* eventually(hasSegments, { timeout: "1 minute" })
      // Its lease ends.
      yield* Fiber.interrupt(work)
      assert.isFalse(yield* hasSegments)
    }).pipe(Effect.provide(service)),
  )

  it.live("removes an upload that was never published, for its owner", () =>
    Effect.gen(function* () {
      const results = yield* recordResults
      yield* putText(`uploads/u1/m4/${canary}.mp4`, canary)
      yield* storeUnfinishedUpload("m5")
      const bus = yield* EventBus
      for (const media_id of ["m4", "m5"]) {
        const payload = { action: "delete", media_id, user_id: "u1", requested_at: "2026-02-01T12:00:00Z" }
        const body = new TextEncoder().encode(JSON.stringify({ cause_id: `delete-${media_id}`, payload }))
        yield* bus.publish({ address: Address.work("media", "control"), id: media_id, body })
      }
      yield* eventually(() => results.length === 2)
      for (const { payload } of results) assert.include(payload, { user_id: "u1" })
      for (const id of ["m4", "m5"]) assert.deepStrictEqual(yield* findTraces(id), [])
    }).pipe(Effect.provide(service)),
  )

  it.live("publishes media.deleted only after the queued upload of the media arrives", () =>
    Effect.gen(function* () {
      const results = yield* recordResults
      const file = yield* storeUpload(`uploads/u1/m2/${canary}.mp4`, new TextEncoder().encode(canary))
      yield* publish(deleteRequested("m2", "2026-02-01T12:00:00Z"))
      const deletions = yield* Collection.make(mediaDeletions)
      yield* eventually(
        Effect.map(deletions.get("m2"), (document) => Option.getOrUndefined(document)?.value.deleted_at !== undefined),
      )
      assert.deepStrictEqual(results, [])
      yield* publish(uploaded("m2", file))
      yield* eventually(() => results.length === 1)
      assert.include(results[0]?.payload, { media_id: "m2", user_id: "u1" })
      assert.deepStrictEqual(yield* findTraces("m2"), [])
    }).pipe(Effect.provide(service)),
  )
})

describe.skipIf(isFfmpegMissing)("user.erase_requested", () => {
  it.live("removes every media, transcript and unpublished upload of the user, and drops uploads in the queue", () =>
    Effect.gen(function* () {
      const results = yield* recordResults
      const record = yield* MediaRecord.make
      for (const [id, user] of [
        ["e1", "u1"],
        ["e2", "u1"],
        ["e3", "u2"],
      ] as const) {
        const plain = uploaded(id, `s3://media/uploads/${user}/${id}/${canary}.mp4`)
        yield* record.begin({ ...plain, payload: { ...plain.payload, user_id: user } }, 1, `media/${id}/v1/`, false)
        yield* putText(`media/${id}/v1/master.m3u8`, canary)
      }
      yield* storeTranscript("e4")
      yield* putText(`uploads/u1/never/${canary}.mp4`, canary)
      yield* storeUnfinishedUpload("e6")
      const request: EventOf<"user.erase_requested"> = {
        event_type: "user.erase_requested",
        event_id: "00000000-0000-4000-9000-0000000000e1",
        timestamp: "2026-02-01T12:00:00Z",
        source: "php-backend",
        payload: { user_id: "u1" },
      }
      yield* publish(request)
      const progress = yield* Collection.make(erasures)
      yield* eventually(
        Effect.map(
          progress.get(request.event_id),
          (document) => Option.getOrUndefined(document)?.value.services["media"]?.is_clean === true,
        ),
      )
      const state = Option.getOrThrow(yield* progress.get(request.event_id)).value
      assert.deepStrictEqual(state.services["media"]?.removed, { media: 3, uploads: 2, quota: 0 })
      for (const id of ["e1", "e2", "e4", "never", "e6"]) assert.deepStrictEqual(yield* tracesOf(id), [])
      assert.lengthOf(yield* tracesOf("e3"), 2)
      assert.sameMembers(
        results.map(({ payload }) => payload.media_id),
        ["e1", "e2", "e4"],
      )
      // An upload of before that waited in its queue.
      const { processUpload } = yield* UploadPipeline
      const late = uploaded("e5", yield* storeUpload(`uploads/u1/e5/${canary}.mp4`, new TextEncoder().encode(canary)))
      assert.strictEqual((yield* processUpload(late, { fencingToken: 1 }))._tag, "Superseded")
      assert.deepStrictEqual(yield* tracesOf("e5"), [])
    }).pipe(Effect.provide(service)),
  )
})

const tracesOf = (mediaId: string) =>
  Effect.map(findTraces(mediaId), (traces) => traces.filter((trace) => trace.includes(mediaId)))

const interruption = new TransientError({ dependency: "state", code: "unavailable", message: "it is away" })

/** Ports whose writes and removals fail after `writesLeft` of them. */
const failingPorts = (writesLeft: number) => {
  let left = writesLeft
  const guard = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.suspend((): Effect.Effect<A, E | TransientError, R> => (left-- > 0 ? effect : Effect.fail(interruption)))
  return Layer.merge(
    Layer.effect(
      KeyValue,
      Effect.map(KeyValue, (kv) =>
        KeyValue.of({
          ...kv,
          create: (...args) => guard(kv.create(...args)),
          update: (...args) => guard(kv.update(...args)),
          remove: (...args) => guard(kv.remove(...args)),
        }),
      ),
    ),
    Layer.effect(
      ObjectStorage,
      Effect.map(ObjectStorage, (storage) =>
        ObjectStorage.of({ ...storage, remove: (ref) => guard(storage.remove(ref)) }),
      ),
    ),
  )
}

const deletion = Effect.gen(function* () {
  const record = yield* MediaRecord.make
  return yield* Deletion.make({ encodes: yield* ChunkedEncodes.make, record, options: { bucket: "media" } })
})

describe("a deletion that is interrupted", () => {
  const request = { mediaId: "m3", requestId: "r1", requestedAt: "2026-02-01T12:00:00Z" }
  const ports = Layer.merge(Layer.fresh(MemoryStorage.layer), Layer.fresh(MemoryState.layer))

  it.effect.each(Array.from({ length: 28 }, (_, index) => index))("after %i writes continues", (writes) =>
    Effect.gen(function* () {
      const purged = new Set<string>()
      const cdn = {
        purge: (keys: ReadonlyArray<string>) => Effect.sync(() => keys.forEach((key) => purged.add(key))),
      }
      const record = yield* MediaRecord.make
      const plain = uploaded("m3", `s3://media/uploads/u1/m3/${canary}.mp4`)
      const upload = { ...plain, payload: { ...plain.payload, metadata: { title: canary } } }
      yield* record.begin(upload, 1, "media/m3/v1/", false)
      yield* putText(`uploads/u1/m3/${canary}.mp4`, canary)
      yield* putText("media/m3/v1/master.m3u8", canary)
      yield* putText("media/m3/v1/captions/en/captions.vtt", canary)
      yield* storeTranscript("m3")
      yield* storeUnfinishedUpload("m3")
      const withCdn = deletion.pipe(Effect.provideService(CdnPurge, cdn))
      const first = yield* withCdn.pipe(
        Effect.flatMap(({ remove }) => remove(request)),
        Effect.provide(failingPorts(writes)),
        Effect.result,
      )
      const { remove } = yield* withCdn
      const deleted = yield* remove(request)
      assert.include(deleted, { media_id: "m3", user_id: "u1" })
      assert.deepStrictEqual(yield* findTraces("m3"), [])
      assert.includeMembers([...purged], ["media/m3/v1/master.m3u8", "media/m3/v1/captions/en/captions.vtt"])
      assert.isFalse([...purged].some((key) => key.startsWith("uploads/")))
      if (first._tag === "Success") assert.deepStrictEqual(first.success, deleted)
      // The same request again reports the same deletion.
      assert.deepStrictEqual(yield* remove(request), deleted)
    }).pipe(Effect.provide(ports)),
  )

  it.effect("leaves an upload that came between its attempts", () =>
    Effect.gen(function* () {
      const record = yield* MediaRecord.make
      yield* record.begin(uploaded("m3", "s3://media/uploads/u1/m3/old.mp4"), 1, "media/m3/v1/", false)
      yield* putText("uploads/u1/m3/old.mp4", canary)
      yield* putText("media/m3/v1/master.m3u8", canary)
      yield* Effect.flip(
        deletion.pipe(
          Effect.flatMap(({ remove }) => remove(request)),
          Effect.provide(failingPorts(3)),
        ),
      )
      yield* record.begin(uploaded("m3", "s3://media/uploads/u1/m3/new.mp4"), 2, "media/m3/v2/", false)
      yield* putText("uploads/u1/m3/new.mp4", "new")
      yield* putText("media/m3/v2/master.m3u8", "new")
      yield* (yield* deletion).remove(request)
      assert.deepStrictEqual(yield* findTraces("m3"), ["media/m3/v2/master.m3u8", "uploads/u1/m3/new.mp4"])
      assert.isUndefined((yield* record.find("m3"))?.deleted_at)
    }).pipe(Effect.provide(ports)),
  )
})
