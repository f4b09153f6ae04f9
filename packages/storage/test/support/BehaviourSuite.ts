/** The behaviour of every adapter of the object storage port. The bucket `media` exists from the start, `absent` does not. */
import { createHash, randomUUID } from "node:crypto"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, layer } from "@effect/vitest"
import { type ObjectRef, ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Deferred, Duration, Effect, Fiber, type Layer, Stream } from "effect"
import { TestClock } from "effect/testing"

export interface AdapterTraits {
  /** Whether an upload's bytes are stored outside this process's memory. */
  readonly bounded: boolean
  /** Where the server behind the adapter cannot keep a very long part of a key, though the adapter could. */
  readonly shortParts?: boolean
  /** Where the server behind the adapter does not sort as S3 does. */
  readonly unsorted?: boolean
  /** How many keys the server behind the adapter can list. */
  readonly listed?: number
  /** Where the server behind the adapter takes parts that it does not know. */
  readonly trusting?: boolean
}

// Unreachable buffers do not count as the adapter's memory.
setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

const text = (value: string) => new TextEncoder().encode(value)
const refOf = (key: string): ObjectRef => ({ bucket: "media", key })
const fresh = (name: string) => Effect.sync(() => refOf(`${randomUUID()}/${name}`))

const read = Effect.fnUntraced(function* (ref: ObjectRef, range?: { readonly start: number; readonly end?: number }) {
  const { body } = yield* (yield* ObjectStorage).get(ref, range)
  return Buffer.concat(yield* Stream.runCollect(body)).toString("utf8")
})
const putText = Effect.fnUntraced(function* (ref: ObjectRef, value: string) {
  return yield* (yield* ObjectStorage).put(ref, text(value), { contentType: "text/plain" })
})
const keysOf = Effect.fnUntraced(function* (prefix: string) {
  return (yield* Stream.runCollect((yield* ObjectStorage).list("media", prefix))).map((info) => info.key)
})
const request = (url: string, init?: RequestInit) => Effect.promise(() => fetch(url, init))
const bodyOf = (response: Response) => Effect.promise(() => response.text())

/** As if it had been asked for an hour ago. */
const anHourAgo = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.andThen(TestClock.setTime(Date.now() - 3_600_000), self).pipe(Effect.provide(TestClock.layer()))

const hostileKeys = [
  `a "quoted" 'key'.txt`,
  "a b & c=d+e;f,g?h#i.txt",
  "100% %2e%2e %00.txt",
  "ünï/日本語/🎬 .mp4",
  "back\\slash|pipe<less>more*star~tilde`tick^",
  ".hidden/.x",
  "Case.TXT",
  "case.txt",
  "folder",
  "folder/inside",
  "folder+/inside=",
  `long/${"x%".repeat(150)}é${"é".repeat(130)}`,
  "...",
]

export const behaviourSuite = (name: string, storage: Layer.Layer<ObjectStorage, unknown>, traits: AdapterTraits) =>
  layer(storage, { excludeTestServices: true })(name, (it) => {
    const assertKeys = (found: ReadonlyArray<string>, expected: ReadonlyArray<string>) =>
      traits.unsorted === true
        ? assert.deepStrictEqual([...found].sort(), [...expected].sort())
        : assert.deepStrictEqual(found, expected)

    it.effect("gives back what was put, with what is known of it", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const ref = yield* fresh("a.txt")
        const put = yield* store.put(ref, text("hello"), { contentType: "text/plain", cacheControl: "max-age=60" })
        const got = yield* store.get(ref)
        const head = yield* store.head(ref)
        assert.strictEqual(yield* read(ref), "hello")
        for (const info of [put, got.info, head]) {
          assert.deepInclude(info, { ...ref, size: 5, contentType: "text/plain", cacheControl: "max-age=60" })
          assert.strictEqual(info.etag, put.etag)
          assert.notInclude(info.etag, '"')
          assert.isBelow(Math.abs(Date.now() - info.modifiedAt), 60_000)
        }
        yield* Stream.runDrain(got.body)
      }),
    )

    it.effect("keeps an empty object, and one from a stream", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const empty = yield* fresh("empty")
        assert.strictEqual((yield* store.put(empty, new Uint8Array(), { contentType: "a/b" })).size, 0)
        assert.strictEqual(yield* read(empty), "")
        const streamed = yield* fresh("streamed")
        yield* store.put(streamed, Stream.make(text("one "), text("two")), { contentType: "a/b" })
        assert.strictEqual(yield* read(streamed), "one two")
      }),
    )

    it.effect("copies an object with what is known of it, over what was there, and says what is missing", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const from = yield* fresh("from (1) 100% ü.txt")
        const to = yield* fresh("deep/to.txt")
        yield* store.put(from, text("hello"), { contentType: "text/css", cacheControl: "max-age=60" })
        yield* putText(to, "something longer")
        const copied = yield* store.copy(from, to)
        const head = yield* store.head(to)
        for (const info of [copied, head]) {
          assert.deepInclude(info, { ...to, size: 5, contentType: "text/css", cacheControl: "max-age=60" })
        }
        assert.strictEqual(copied.etag, head.etag)
        yield* store.remove(from)
        assert.strictEqual(yield* read(to), "hello")
        assert.strictEqual((yield* Effect.flip(store.copy(from, to)))._tag, "NotFound")
        assert.strictEqual(yield* read(to), "hello")
        const elsewhere = yield* Effect.flip(store.copy(to, { bucket: "absent", key: "a" }))
        assert.strictEqual(elsewhere._tag, "ConfigurationError")
        assert.include(elsewhere.message, "absent")
        assert.strictEqual((yield* Effect.flip(store.copy(to, refOf("../a"))))._tag, "ConfigurationError")
      }),
    )

    it.effect("overwrites, and the etag changes", () =>
      Effect.gen(function* () {
        const ref = yield* fresh("a")
        const first = yield* putText(ref, "first")
        const second = yield* putText(ref, "second")
        assert.notStrictEqual(first.etag, second.etag)
        assert.strictEqual(yield* read(ref), "second")
      }),
    )

    it.effect("reads ranges", () =>
      Effect.gen(function* () {
        const ref = yield* fresh("digits")
        yield* putText(ref, "0123456789")
        assert.strictEqual(yield* read(ref, { start: 2, end: 4 }), "234")
        assert.strictEqual(yield* read(ref, { start: 7 }), "789")
        assert.strictEqual(yield* read(ref, { start: 8, end: 99 }), "89")
        assert.strictEqual(yield* read(ref, { start: 10 }), "")
        const { info, body } = yield* (yield* ObjectStorage).get(ref, { start: 0, end: 1 })
        yield* Stream.runDrain(body)
        assert.strictEqual(info.size, 10)
      }),
    )

    it.effect("answers NotFound for what is not there, and removing it succeeds", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const ref = yield* fresh("none")
        assert.strictEqual((yield* Effect.flip(store.get(ref)))._tag, "NotFound")
        assert.strictEqual((yield* Effect.flip(store.head(ref)))._tag, "NotFound")
        yield* store.remove(ref)
        yield* putText(ref, "now")
        yield* store.remove(ref)
        assert.strictEqual((yield* Effect.flip(store.head(ref)))._tag, "NotFound")
        assert.deepStrictEqual(yield* keysOf(ref.key), [])
      }),
    )

    it.effect("names a bucket that is not there as a fault of configuration", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const ref = { bucket: "absent", key: "a" }
        const faults = yield* Effect.all([
          Effect.flip(store.get(ref)),
          Effect.flip(store.head(ref)),
          Effect.flip(store.put(ref, text("x"), { contentType: "a/b" })),
          Effect.flip(Stream.runDrain(store.list("absent", ""))),
        ])
        for (const fault of faults) {
          assert.strictEqual(fault._tag, "ConfigurationError")
          assert.include(fault.message, "absent")
        }
      }),
    )

    it.effect("sets a bucket up as often as one likes", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        assert.include(yield* store.setup("second-bucket"), "second-bucket")
        assert.include(yield* store.setup("second-bucket"), "second-bucket")
        const ref = { bucket: "second-bucket", key: "a" }
        yield* putText(ref, "x")
        assert.strictEqual(yield* read(ref), "x")
      }),
    )

    it.effect("lists by prefix, ascending, more than a page of S3", () =>
      Effect.gen(function* () {
        const { key } = yield* fresh("")
        const names = ["a", "a/b", "a/b/c", "a0", "ab", "b", "é", "日", "🎬"]
        yield* Effect.forEach([...names].reverse(), (one) => putText(refOf(key + one), one), { concurrency: 4 })
        assertKeys(
          yield* keysOf(key),
          names.map((one) => key + one),
        )
        assertKeys(
          yield* keysOf(`${key}a`),
          ["a", "a/b", "a/b/c", "a0", "ab"].map((one) => key + one),
        )
        assertKeys(yield* keysOf(`${key}a/`), [`${key}a/b`, `${key}a/b/c`])
        const [first] = yield* Stream.runCollect((yield* ObjectStorage).list("media", `${key}ab`))
        assert.deepInclude(first, { bucket: "media", key: `${key}ab`, size: 2 })
        const many = Array.from(
          { length: traits.listed ?? 1_050 },
          (_, at) => `${key}many/${String(at).padStart(5, "0")}`,
        )
        yield* Effect.forEach(many, (one) => putText(refOf(one), ""), { concurrency: 16, discard: true })
        assertKeys(yield* keysOf(`${key}many/`), many)
      }),
    )

    it.effect("keeps hostile keys apart and whole", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const { key: base } = yield* fresh("")
        const keys = hostileKeys
          .filter((key) => traits.shortParts !== true || key.length < 200)
          .map((key) => base + key)
        for (const key of keys) yield* putText(refOf(key), key)
        for (const key of keys) {
          assert.strictEqual(yield* read(refOf(key)), key)
          assert.strictEqual((yield* store.head(refOf(key))).key, key)
          const signed = yield* store.presignGet(refOf(key), { expiresIn: Duration.minutes(1) })
          assert.strictEqual(yield* bodyOf(yield* request(signed.url)), key)
        }
        const byBytes = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        assertKeys(yield* keysOf(base), byBytes)
        for (const key of keys) {
          yield* store.remove(refOf(key))
          assert.strictEqual((yield* Effect.flip(store.head(refOf(key))))._tag, "NotFound")
        }
        assertKeys(yield* keysOf(base), [])
      }),
    )

    it.effect("refuses keys that could lead elsewhere", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const keys = ["", "/a", "..", "../a", "a/../../b", "a/./b", "a/..", "a\0b", "\ud800", "x".repeat(1025)]
        for (const key of keys) {
          const ref = refOf(key)
          const faults = yield* Effect.all([
            Effect.flip(store.put(ref, text("x"), { contentType: "a/b" })),
            Effect.flip(store.get(ref)),
            Effect.flip(store.head(ref)),
            Effect.flip(store.remove(ref)),
            Effect.flip(store.presignGet(ref, { expiresIn: Duration.minutes(1) })),
            Effect.flip(store.presignPut(ref, { expiresIn: Duration.minutes(1), contentType: "a/b" })),
          ])
          for (const fault of faults) assert.strictEqual(fault._tag, "ConfigurationError", JSON.stringify(key))
        }
        for (const bucket of ["..", "a/b", "", ".writing"]) {
          assert.strictEqual((yield* Effect.flip(store.setup(bucket)))._tag, "ConfigurationError")
          assert.strictEqual((yield* Effect.flip(store.head({ bucket, key: "a" })))._tag, "ConfigurationError")
        }
      }),
    )

    it.effect("shows an object whole or not at all while it is written", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const old = yield* fresh("old")
        const none = yield* fresh("none")
        yield* putText(old, "old content")
        const gate = yield* Deferred.make<void>()
        const halfway = yield* Deferred.make<void>()
        // More than a part of a multipart upload, so that it has begun.
        const half = Stream.succeed(new Uint8Array(9 * 1024 * 1024))
        const rest = Stream.unwrap(
          Effect.as(
            Effect.andThen(Deferred.succeed(halfway, undefined), Deferred.await(gate)),
            Stream.succeed(text("end")),
          ),
        )
        const writers = yield* Effect.forEach([old, none], (ref) =>
          Effect.forkChild(store.put(ref, Stream.concat(half, rest), { contentType: "a/b" })),
        )
        yield* Deferred.await(halfway)
        assert.strictEqual(yield* read(old), "old content")
        assert.strictEqual((yield* store.head(old)).size, 11)
        assert.strictEqual((yield* Effect.flip(store.head(none)))._tag, "NotFound")
        assert.deepStrictEqual(yield* keysOf(none.key), [])
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.forEach(writers, Fiber.join)
        assert.strictEqual((yield* store.head(old)).size, 9 * 1024 * 1024 + 3)
        assert.strictEqual((yield* store.head(none)).contentType, "a/b")
      }),
    )

    it.effect("leaves what was there when a write fails or is interrupted", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const ref = yield* fresh("kept")
        yield* putText(ref, "kept")
        const half = Stream.succeed(new Uint8Array(9 * 1024 * 1024))
        const failing = Stream.concat(half, Stream.fail("broken" as const))
        assert.strictEqual(yield* Effect.flip(store.put(ref, failing, { contentType: "a/b" })), "broken")
        const halfway = yield* Deferred.make<void>()
        const waiting = Stream.unwrap(Effect.as(Deferred.succeed(halfway, undefined), Stream.never))
        const writer = yield* Effect.forkChild(store.put(ref, Stream.concat(half, waiting), { contentType: "a/b" }))
        yield* Deferred.await(halfway)
        yield* Fiber.interrupt(writer)
        assert.strictEqual(yield* read(ref), "kept")
      }),
    )

    it.effect("streams 96 MB in and out, in bounded memory", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const ref = yield* fresh("large")
        const chunks = 1_536
        const chunkBytes = 65_536
        const sent = createHash("sha256")
        const received = createHash("sha256")
        let peak = 0
        let seen = 0
        const base = process.memoryUsage().arrayBuffers
        const watch = () => {
          seen += 1
          if (seen % 128 !== 0) return
          collectGarbage()
          peak = Math.max(peak, process.memoryUsage().arrayBuffers - base)
        }
        const body = Stream.range(1, chunks).pipe(
          Stream.rechunk(1),
          Stream.map((at) => {
            const chunk = new Uint8Array(chunkBytes).fill(at % 251)
            sent.update(chunk)
            watch()
            return chunk
          }),
        )
        const info = yield* store.put(ref, body, { contentType: "video/mp4" })
        assert.strictEqual(info.size, chunks * chunkBytes)
        const got = yield* store.get(ref)
        yield* Stream.runForEach(got.body, (chunk) =>
          Effect.sync(() => {
            received.update(chunk)
            watch()
          }),
        )
        assert.strictEqual(received.digest("hex"), sent.digest("hex"))
        if (traits.bounded) assert.isBelow(peak / 1024 / 1024, 64)
        yield* store.remove(ref)
      }),
    )

    it.effect("hands out addresses that a browser reads from", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const ref = yield* fresh("page.txt")
        yield* putText(ref, "0123456789")
        const signed = yield* store.presignGet(ref, { expiresIn: Duration.minutes(5) })
        assert.strictEqual(signed.method, "GET")
        assert.isBelow(Math.abs(signed.expiresAt - Date.now() - 300_000), 10_000)
        const whole = yield* request(signed.url, { headers: signed.headers })
        assert.strictEqual(whole.status, 200)
        assert.strictEqual(whole.headers.get("content-type"), "text/plain")
        assert.strictEqual(yield* bodyOf(whole), "0123456789")
        const part = yield* request(signed.url, { headers: { range: "bytes=2-4" } })
        assert.strictEqual(part.status, 206)
        assert.strictEqual(part.headers.get("content-range"), "bytes 2-4/10")
        assert.strictEqual(yield* bodyOf(part), "234")
        const other = yield* request(signed.url, { method: "PUT", body: "x" })
        assert.isAtLeast(other.status, 400)
        assert.strictEqual(yield* read(ref), "0123456789")
      }),
    )

    it.effect("hands out addresses that a browser writes to", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const ref = yield* fresh("upload.mp4")
        const signed = yield* store.presignPut(ref, {
          expiresIn: Duration.minutes(5),
          contentType: "video/mp4",
          size: 5,
        })
        assert.strictEqual(signed.method, "PUT")
        assert.deepStrictEqual(signed.headers, { "content-type": "video/mp4" })
        const done = yield* request(signed.url, { method: "PUT", headers: signed.headers, body: "12345" })
        assert.strictEqual(done.status, 200)
        const info = yield* store.head(ref)
        assert.deepInclude(info, { size: 5, contentType: "video/mp4" })
        assert.strictEqual(yield* read(ref), "12345")
      }),
    )

    it.effect("refuses an upload of another type or size than signed, and keeps nothing of it", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const ref = yield* fresh("upload.mp4")
        const signed = yield* store.presignPut(ref, {
          expiresIn: Duration.minutes(5),
          contentType: "video/mp4",
          size: 5,
        })
        const attempts = [
          { headers: { "content-type": "text/html" }, body: "12345" },
          { headers: {}, body: new Uint8Array(5) },
          { headers: signed.headers, body: "123456" },
          { headers: signed.headers, body: "1234" },
          { headers: signed.headers, body: "" },
        ]
        for (const attempt of attempts) {
          const answer = yield* request(signed.url, { method: "PUT", ...attempt })
          assert.isAtLeast(answer.status, 400)
          assert.isBelow(answer.status, 500)
          yield* bodyOf(answer)
          assert.strictEqual((yield* Effect.flip(store.head(ref)))._tag, "NotFound")
        }
      }),
    )

    it.effect("takes an object in parts that a browser writes, and shows it once it is complete", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const ref = yield* fresh("parts.mp4")
        const uploadId = yield* store.createMultipartUpload(ref, { contentType: "video/mp4" })
        const sizes = [5 * 1024 * 1024, 7]
        const parts = yield* Effect.forEach(sizes, (size, index) =>
          Effect.gen(function* () {
            const part = { number: index + 1, size, expiresIn: Duration.minutes(5) }
            const signed = yield* store.presignPart(ref, uploadId, part)
            assert.strictEqual(signed.method, "PUT")
            const tooLong = yield* request(signed.url, { method: "PUT", body: new Uint8Array(size + 1) })
            assert.isAtLeast(tooLong.status, 400)
            const body = new Uint8Array(size).fill(index + 1)
            const done = yield* request(signed.url, { method: "PUT", headers: signed.headers, body })
            assert.strictEqual(done.status, 200)
            return { number: part.number, etag: done.headers.get("etag") ?? "" }
          }),
        )
        assert.strictEqual((yield* Effect.flip(store.head(ref)))._tag, "NotFound")
        const info = yield* store.completeMultipartUpload(ref, uploadId, parts)
        assert.deepInclude(info, { size: 5 * 1024 * 1024 + 7, contentType: "video/mp4" })
        assert.strictEqual(yield* read(ref, { start: 5 * 1024 * 1024 - 1 }), "\u0001" + "\u0002".repeat(7))
        if (traits.trusting === true) return
        assert.strictEqual((yield* Effect.flip(store.completeMultipartUpload(ref, uploadId, parts)))._tag, "NotFound")
      }),
    )

    it.effect("keeps nothing of an upload in parts that is given up or has a wrong part", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const ref = yield* fresh("parts.mp4")
        const uploadId = yield* store.createMultipartUpload(ref, { contentType: "video/mp4" })
        const part = { number: 1, size: 3, expiresIn: Duration.minutes(5) }
        const signed = yield* store.presignPart(ref, uploadId, part)
        const done = yield* request(signed.url, { method: "PUT", headers: signed.headers, body: "abc" })
        assert.strictEqual(done.status, 200)
        const wrong = [{ number: 1, etag: '"00000000000000000000000000000000"' }]
        if (traits.trusting === true) return
        assert.strictEqual((yield* Effect.flip(store.completeMultipartUpload(ref, uploadId, wrong)))._tag, "NotFound")
        yield* store.abortMultipartUpload(ref, uploadId)
        yield* store.abortMultipartUpload(ref, uploadId)
        const right = [{ number: 1, etag: done.headers.get("etag") ?? "" }]
        assert.strictEqual((yield* Effect.flip(store.completeMultipartUpload(ref, uploadId, right)))._tag, "NotFound")
        assert.strictEqual((yield* Effect.flip(store.head(ref)))._tag, "NotFound")
      }),
    )

    it.effect("refuses addresses that have expired or were changed", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStorage
        const ref = yield* fresh("secret.txt")
        const other = refOf(ref.key.replace("secret", "other"))
        yield* putText(ref, "secret")
        yield* putText(other, "other")
        const expiresIn = Duration.minutes(5)
        const late = yield* anHourAgo(store.presignGet(ref, { expiresIn }))
        const latePut = yield* anHourAgo(store.presignPut(ref, { expiresIn, contentType: "text/plain" }))
        const signed = yield* store.presignGet(ref, { expiresIn })
        const refused = [
          late.url,
          signed.url.replace("secret.txt", "other.txt"),
          signed.url.replace(/([Ss])ignature=.../, "$1ignature=AAA"),
          signed.url.replace(/([Ee])xpires=([0-9]+)/, "$1xpires=9$2"),
        ]
        for (const url of refused) {
          assert.notStrictEqual(url, signed.url)
          const answer = yield* request(url)
          assert.include([400, 401, 403], answer.status, url)
          assert.notInclude(yield* bodyOf(answer), "secret\n")
        }
        const put = yield* request(latePut.url, { method: "PUT", headers: latePut.headers, body: "changed" })
        assert.strictEqual(put.status, 403)
        assert.strictEqual(yield* read(ref), "secret")
      }),
    )
  })
