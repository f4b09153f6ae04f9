/** Resumable uploads on each object storage: interruptions, expiry, removal and memory. */
import { randomBytes } from "node:crypto"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { TransientError } from "@armoricore/domain/Errors"
import * as ResumableUploads from "@armoricore/api/tus/ResumableUploads"
import * as Collection from "@armoricore/state/Collection"
import * as MemoryState from "@armoricore/state/memory/MemoryState"
import { makeRemoval, resumableUploads } from "@armoricore/state/ResumableUploads"
import * as LocalStorage from "@armoricore/storage/local/LocalStorage"
import { ObjectSigner } from "@armoricore/storage/local/ObjectSigner"
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PublicUrl } from "@armoricore/storage/PublicUrl"
import * as S3Storage from "@armoricore/storage/s3/S3Storage"
import { S3Server } from "@armoricore/testing/S3Server"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FileSystem, Layer, Option, Redacted, Stream } from "effect"
import { TestClock } from "effect/testing"

// Unreachable buffers do not count.
setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

const local = Layer.unwrap(
  Effect.gen(function* () {
    const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "armoricore-tus-" })
    return LocalStorage.layer({ folder })
  }),
).pipe(
  Layer.provide(ObjectSigner.layer({ key: Redacted.make("a key of this test") })),
  Layer.provide([PublicUrl.layerFixed("http://127.0.0.1:4000"), NodeServices.layer]),
)

const s3 = Layer.unwrap(Effect.map(S3Server, (server) => S3Storage.layer(server))).pipe(
  Layer.provide(S3Server.layer({ buckets: ["media"] })),
)

const layerOf = (storage: Layer.Layer<ObjectStorage, unknown>) => Layer.merge(Layer.orDie(storage), MemoryState.layer)

const mediaId = "00000000-0000-4000-8000-000000000001"
const ref = { bucket: "media", key: `uploads/u1/${mediaId}/film.mp4` }
const partSize = 5 * 1024 * 1024

const open = Effect.fnUntraced(function* (size: number) {
  const storage = yield* ObjectStorage
  yield* storage.setup("media")
  const store = yield* ResumableUploads.make({ bucket: "media", partSize, expiresIn: Duration.days(1) })
  yield* store.create(
    {
      media_id: mediaId,
      user_id: "u1",
      file_path: `s3://media/${ref.key}`,
      content_type: "video/mp4",
      size,
      metadata: "",
    },
    ref,
  )
  const send = (offset: number, stream: Stream.Stream<Uint8Array, unknown>) =>
    store.append(mediaId, "u1", offset, undefined, { stream, checksum: undefined })
  return { storage, store, send }
})

const stored = Effect.gen(function* () {
  const { body } = yield* (yield* ObjectStorage).get(ref)
  return Buffer.concat([...(yield* Stream.runCollect(body))])
})

const everything = Effect.gen(function* () {
  const objects = yield* Stream.runCollect((yield* ObjectStorage).list("media", ""))
  const documents = yield* (yield* Collection.make(resumableUploads)).list({ limit: 10 })
  return [...objects.map(({ key }) => key), ...documents.map(({ key }) => key)]
})

/** Chunks as a socket delivers them. */
const chunksOf = (bytes: Uint8Array): Stream.Stream<Uint8Array> =>
  Stream.fromIterable(
    Array.from({ length: Math.ceil(bytes.byteLength / 65_536) }, (_, index) =>
      bytes.subarray(index * 65_536, (index + 1) * 65_536),
    ),
  )

const storages: Readonly<Record<string, Layer.Layer<ObjectStorage, unknown>>> = { "a local folder": local, S3: s3 }

for (const [name, storage] of Object.entries(storages)) {
  describe(`a resumable upload in ${name}`, () => {
    it.effect("continues after interruptions at any byte, and appears at once when it is complete", () =>
      Effect.gen(function* () {
        const content = randomBytes(2 * partSize + 70_000)
        const { send, store } = yield* open(content.byteLength)
        // In a part, just before and at its end, with an empty body, and in the last bytes.
        for (const end of [1, 300_001, partSize - 1, partSize, partSize, 2 * partSize + 69_999]) {
          const { offset } = yield* store.find(mediaId, "u1")
          const cut = Stream.concat(chunksOf(content.subarray(offset, end)), Stream.fail("the line broke"))
          assert.propertyVal(yield* Effect.flip(send(offset, cut)), "code", "unreadable")
          assert.strictEqual((yield* store.find(mediaId, "u1")).offset, end)
          assert.strictEqual((yield* Effect.flip(stored))._tag, "NotFound")
        }
        const done = yield* send(content.byteLength - 1, chunksOf(content.subarray(-1)))
        assert.isTrue(done.is_complete)
        assert.isTrue((yield* stored).equals(content))
        assert.deepStrictEqual(yield* everything, [ref.key, mediaId])
      }).pipe(Effect.provide(layerOf(storage))),
    )

    it.effect("expires a day after its last byte, with everything that is stored", () =>
      Effect.gen(function* () {
        // The S3 server of the tests cannot abort a multipart upload.
        const first = name === "S3" ? 1000 : partSize + 5
        const { send, store } = yield* open(first * 2)
        yield* send(0, Stream.succeed(new Uint8Array(first)))
        yield* TestClock.adjust("23 hours")
        yield* send(first, Stream.succeed(new Uint8Array(5)))
        yield* TestClock.adjust("23 hours")
        yield* store.removeExpired
        assert.strictEqual((yield* store.find(mediaId, "u1")).offset, first + 5)
        yield* TestClock.adjust("1 hour")
        assert.propertyVal(yield* Effect.flip(store.find(mediaId, "u1")), "code", "expired")
        yield* store.removeExpired
        assert.deepStrictEqual(yield* everything, [])
      }).pipe(Effect.provide(layerOf(storage))),
    )
  })
}

describe("a resumable upload", () => {
  it.effect("leaves nothing when it is removed in the middle of a request", () =>
    Effect.gen(function* () {
      const { send, storage } = yield* open(3 * partSize)
      const remove = yield* makeRemoval(storage)
      const body = Stream.concat(
        chunksOf(new Uint8Array(partSize + 7)),
        Stream.unwrap(Effect.as(remove(mediaId), chunksOf(new Uint8Array(partSize)))),
      )
      assert.propertyVal(yield* Effect.flip(send(0, body)), "code", "not_found")
      assert.deepStrictEqual(yield* everything, [])
    }).pipe(Effect.provide(layerOf(local))),
  )

  it.effect("is assembled by the next request if the process ended before that", () =>
    Effect.gen(function* () {
      const content = randomBytes(partSize + 9)
      const { send, storage, store } = yield* open(content.byteLength)
      const failing = ObjectStorage.of({
        ...storage,
        completeMultipartUpload: () =>
          Effect.fail(new TransientError({ dependency: "storage", code: "unavailable", message: "away" })),
      })
      const other = yield* Effect.provideService(
        ResumableUploads.make({ bucket: "media", partSize, expiresIn: Duration.days(1) }),
        ObjectStorage,
        failing,
      )
      const whole = { stream: chunksOf(content), checksum: undefined }
      assert.strictEqual((yield* Effect.flip(other.append(mediaId, "u1", 0, undefined, whole)))._tag, "TransientError")
      const found = yield* store.find(mediaId, "u1")
      assert.isTrue(found.is_complete)
      assert.isTrue((yield* stored).equals(content))
      // The file was assembled, but the document not written.
      const uploads = yield* Collection.make(resumableUploads)
      const { value } = Option.getOrThrow(yield* uploads.get(mediaId))
      yield* uploads.put(mediaId, { ...value, is_complete: false })
      assert.isTrue((yield* store.find(mediaId, "u1")).is_complete)
      assert.propertyVal(yield* Effect.flip(send(3, Stream.empty)), "code", "offset")
    }).pipe(Effect.provide(layerOf(local))),
  )

  it.effect("merges the pieces of many short connections", () =>
    Effect.gen(function* () {
      const content = randomBytes(4_000)
      const { send } = yield* open(content.byteLength)
      const uploads = yield* Collection.make(resumableUploads)
      let most = 0
      for (let offset = 0; offset < content.byteLength; offset += 40) {
        yield* send(offset, Stream.succeed(content.subarray(offset, offset + 40)))
        const { value } = Option.getOrThrow(yield* uploads.get(mediaId))
        most = Math.max(most, value.pieces.length)
      }
      assert.isAtMost(most, 32)
      assert.isTrue((yield* stored).equals(content))
      assert.deepStrictEqual(yield* everything, [ref.key, mediaId])
    }).pipe(Effect.provide(layerOf(MemoryStorage.layer))),
  )

  it.effect("removes pieces that no document names", () =>
    Effect.gen(function* () {
      const { storage, store } = yield* open(10)
      for (const id of [mediaId, "gone"]) {
        const key = `work/uploads/${id}/piece`
        yield* storage.put<never, never>({ bucket: "media", key }, new Uint8Array(1), { contentType: "a/b" })
      }
      yield* TestClock.adjust("2 hours")
      yield* store.removeExpired
      assert.deepStrictEqual(yield* everything, [`work/uploads/${mediaId}/piece`, mediaId])
    }).pipe(Effect.provide(layerOf(MemoryStorage.layer))),
  )

  it.live("uses the memory of a few parts for a long body", () =>
    Effect.gen(function* () {
      const size = 96 * 1024 * 1024
      const storage = yield* ObjectStorage
      let taken = 0
      // Stores nothing, so that what is in memory belongs to the upload.
      const discarding = ObjectStorage.of({
        ...storage,
        putPart: (_, __, { body, number }) =>
          Effect.sync(() => {
            taken += body.byteLength
            return { number, etag: "e" }
          }),
        completeMultipartUpload: () => storage.put<never, never>(ref, new Uint8Array(1), { contentType: "video/mp4" }),
      })
      const { send } = yield* Effect.provideService(open(size), ObjectStorage, discarding)
      const base = process.memoryUsage().arrayBuffers
      let peak = 0
      const body = Stream.range(1, size / 65_536).pipe(
        Stream.rechunk(1),
        Stream.map((at) => {
          if (at % 64 === 0) {
            collectGarbage()
            peak = Math.max(peak, process.memoryUsage().arrayBuffers - base)
          }
          return new Uint8Array(65_536).fill(at % 251)
        }),
      )
      yield* send(0, body)
      assert.isBelow(peak / 1024 / 1024, 48)
      assert.strictEqual(taken, size)
    }).pipe(Effect.provide(layerOf(MemoryStorage.layer))),
  )
})
