/** The behaviour of every adapter of the key-value port. Each test uses its own key prefix, so that they share a bucket. */
import { randomUUID } from "node:crypto"
import { assert, layer } from "@effect/vitest"
import { type Bucket, KeyValue, readAll, writeAll } from "@armoricore/state/KeyValue"
import { Duration, Effect, type Layer, Option, Schedule } from "effect"
import { TestClock } from "effect/testing"

export interface AdapterTraits {
  /** `virtual` where the adapter's time is Effect's clock alone, so that a test can move it. */
  readonly clock: "virtual" | "real"
}

const bucket: Bucket = { name: "lasting", maxAge: "never" }
const other: Bucket = { name: "other", maxAge: "never" }
const brief: Bucket = { name: "brief", maxAge: Duration.seconds(1) }

const fresh = Effect.sync(() => randomUUID())
const second = Duration.seconds(1)

const hostileKeys = [
  "a@b.c",
  "room:1",
  "with space",
  "..",
  ".a.",
  "a.b",
  "a/b",
  "a*b>c",
  "$KV.x",
  "_kv_x",
  "=3d",
  "=",
  "100%",
  `"quoted" 'twice'`,
  "line\nbreak\ttab",
  "ünï 日本語 🎬",
  "Case",
  "case",
  "x".repeat(470),
]

export const behaviourSuite = (name: string, state: Layer.Layer<KeyValue, unknown>, traits: AdapterTraits) =>
  layer(state, { excludeTestServices: traits.clock === "real", timeout: "30 seconds" })(name, (it) => {
    /** Waits until the key is gone, which it must be after two seconds. */
    const untilGone = Effect.fnUntraced(function* (where: Bucket, key: string) {
      const { get } = yield* KeyValue
      if (traits.clock === "virtual") {
        yield* TestClock.adjust("2 seconds")
        assert.isTrue(Option.isNone(yield* get(where, key)))
        return
      }
      yield* get(where, key).pipe(
        Effect.repeat({ until: Option.isNone, schedule: Schedule.spaced("50 millis") }),
        Effect.timeout("10 seconds"),
      )
    })

    it.effect("sets buckets up as often as one likes", () =>
      Effect.gen(function* () {
        const { setup } = yield* KeyValue
        const first = yield* setup([bucket, other, brief])
        const again = yield* setup([bucket, other, brief])
        assert.strictEqual(first.length, 3)
        assert.deepStrictEqual(again, first)
        for (const line of first) assert.include(line, "state bucket")
      }),
    )

    it.effect("gets what was put, and nothing where nothing is", () =>
      Effect.gen(function* () {
        const { get, put } = yield* KeyValue
        const key = yield* fresh
        assert.isTrue(Option.isNone(yield* get(bucket, key)))
        const revision = yield* put(bucket, key, "one")
        assert.deepStrictEqual(yield* get(bucket, key), Option.some({ key, value: "one", revision }))
        const next = yield* put(bucket, key, "two")
        assert.isAbove(next, revision)
        assert.deepStrictEqual(yield* get(bucket, key), Option.some({ key, value: "two", revision: next }))
        assert.isTrue(Option.isNone(yield* get(other, key)))
      }),
    )

    it.effect("keeps values whole: empty, line breaks, letters, 200 KB", () =>
      Effect.gen(function* () {
        const { get, put } = yield* KeyValue
        const key = yield* fresh
        for (const value of ["", "\n", "a\n\nb\r\n", "123\nx", "é日🎬", `{"a":"${"x".repeat(200_000)}"}`]) {
          yield* put(bucket, key, value)
          assert.strictEqual(Option.getOrThrow(yield* get(bucket, key)).value, value)
        }
      }),
    )

    it.effect("creates once", () =>
      Effect.gen(function* () {
        const { create, get } = yield* KeyValue
        const key = yield* fresh
        yield* create(bucket, key, "first")
        const lost = yield* Effect.flip(create(bucket, key, "second"))
        assert.strictEqual(lost._tag, "Conflict")
        assert.strictEqual(Option.getOrThrow(yield* get(bucket, key)).value, "first")
      }),
    )

    it.effect("reads and writes several at once: each write is a compare-and-set of its own", () =>
      Effect.gen(function* () {
        const state = yield* KeyValue
        const prefix = yield* fresh
        const [known, unknown, stale] = [`${prefix}a`, `${prefix}b`, `${prefix}c`]
        const first = yield* state.put(bucket, known, "one")
        const old = yield* state.put(bucket, stale, "one")
        yield* state.put(bucket, stale, "two")
        const revisions = yield* writeAll(state, bucket, [
          { key: known, value: "two", revision: first },
          { key: unknown, value: "new", revision: 0 },
          { key: stale, value: "three", revision: old },
          { key: known, value: "three", revision: 0 },
        ])
        assert.deepStrictEqual(
          revisions.map((revision) => revision === undefined),
          [false, false, true, true],
        )
        const found = yield* readAll(state, bucket, [stale, `${prefix}none`, known, unknown])
        assert.deepStrictEqual(
          found.map((entry) => entry?.value),
          ["two", undefined, "two", "new"],
        )
        assert.deepStrictEqual([found[2]?.revision, found[3]?.revision], revisions.slice(0, 2))
      }),
    )

    it.effect("updates over exactly the revision it was given", () =>
      Effect.gen(function* () {
        const { create, get, update } = yield* KeyValue
        const key = yield* fresh
        assert.strictEqual((yield* Effect.flip(update(bucket, key, "x", 1)))._tag, "Conflict")
        assert.strictEqual((yield* Effect.flip(update(bucket, key, "x", 0)))._tag, "Conflict")
        assert.isTrue(Option.isNone(yield* get(bucket, key)))
        const first = yield* create(bucket, key, "a")
        const second = yield* update(bucket, key, "b", first)
        assert.isAbove(second, first)
        for (const stale of [first, second + 1_000_000, 0]) {
          assert.strictEqual((yield* Effect.flip(update(bucket, key, "c", stale)))._tag, "Conflict")
        }
        assert.deepStrictEqual(yield* get(bucket, key), Option.some({ key, value: "b", revision: second }))
      }),
    )

    it.effect("never repeats a revision when a key comes back after its removal", () =>
      Effect.gen(function* () {
        const { create, remove, update } = yield* KeyValue
        const key = yield* fresh
        const revisions: Array<number> = []
        for (let round = 0; round < 5; round++) {
          const created = yield* create(bucket, key, "a")
          revisions.push(created, yield* update(bucket, key, "b", created))
          yield* remove(bucket, key)
        }
        assert.strictEqual(new Set(revisions).size, 10)
        assert.deepStrictEqual(
          revisions,
          [...revisions].sort((a, b) => a - b),
        )
        const [first = 0] = revisions
        yield* create(bucket, key, "a")
        assert.strictEqual((yield* Effect.flip(update(bucket, key, "c", first)))._tag, "Conflict")
      }),
    )

    it.effect("several who remove the same at once all find it removed", () =>
      Effect.gen(function* () {
        const { create, get, remove } = yield* KeyValue
        const key = yield* fresh
        const sides = Array.from({ length: 8 })
        for (let round = 0; round < 10; round++) {
          yield* create(bucket, key, "any revision")
          yield* Effect.forEach(sides, () => remove(bucket, key), { concurrency: "unbounded" })
          const revision = yield* create(bucket, key, "this revision")
          yield* Effect.forEach(sides, () => remove(bucket, key, revision), { concurrency: "unbounded" })
          assert.isTrue(Option.isNone(yield* get(bucket, key)))
        }
      }),
    )

    it.effect("removes with and without a revision", () =>
      Effect.gen(function* () {
        const { get, put, remove } = yield* KeyValue
        const key = yield* fresh
        yield* remove(bucket, key)
        yield* remove(bucket, key, 7)
        const first = yield* put(bucket, key, "a")
        const second = yield* put(bucket, key, "b")
        assert.strictEqual((yield* Effect.flip(remove(bucket, key, first)))._tag, "Conflict")
        assert.strictEqual(Option.getOrThrow(yield* get(bucket, key)).value, "b")
        yield* remove(bucket, key, second)
        assert.isTrue(Option.isNone(yield* get(bucket, key)))
        yield* put(bucket, key, "c")
        yield* remove(bucket, key)
        yield* remove(bucket, key)
        assert.isTrue(Option.isNone(yield* get(bucket, key)))
      }),
    )

    it.effect("ends an entry after its own expiry; then it can be created and not updated", () =>
      Effect.gen(function* () {
        const { create, list, put, update } = yield* KeyValue
        const key = yield* fresh
        const lasting = `${key}-lasting`
        const revision = yield* create(bucket, key, "a", { expiresIn: second })
        yield* put(bucket, lasting, "a", { expiresIn: Duration.hours(1) })
        assert.strictEqual((yield* Effect.flip(create(bucket, key, "b")))._tag, "Conflict")
        yield* untilGone(bucket, key)
        assert.strictEqual((yield* Effect.flip(update(bucket, key, "b", revision)))._tag, "Conflict")
        const left = yield* list(bucket, { prefix: key, limit: 10 })
        assert.deepStrictEqual(
          left.map((entry) => entry.key),
          [lasting],
        )
        assert.isAbove(yield* create(bucket, key, "b"), revision)
      }),
    )

    it.effect("takes a write without expiry for the end of the former expiry", () =>
      Effect.gen(function* () {
        const { create, get, update } = yield* KeyValue
        const key = yield* fresh
        const mark = `${key}-mark`
        const revision = yield* create(bucket, key, "a", { expiresIn: second })
        yield* update(bucket, key, "b", revision)
        yield* create(bucket, mark, "x", { expiresIn: second })
        yield* untilGone(bucket, mark)
        assert.strictEqual(Option.getOrThrow(yield* get(bucket, key)).value, "b")
      }),
    )

    it.effect("ends an entry after the bucket's maximum age, even if its own expiry is later", () =>
      Effect.gen(function* () {
        const { put } = yield* KeyValue
        const key = yield* fresh
        yield* put(brief, key, "a", { expiresIn: Duration.hours(1) })
        yield* put(brief, `${key}-2`, "a")
        yield* untilGone(brief, key)
        yield* untilGone(brief, `${key}-2`)
      }),
    )

    it.effect("lists by prefix, behind a key, up to a limit, in the order of the keys", () =>
      Effect.gen(function* () {
        const { list, put, remove } = yield* KeyValue
        const id = yield* fresh
        const keys = ["", "/a", "/a/b", "/b", "0", "A", "a", "a:1", "é", "日", "\uffee", "🎬"].map((end) => id + end)
        yield* Effect.forEach([...keys].reverse(), (key) => put(bucket, key, `value of ${key}`), { concurrency: 4 })
        yield* put(bucket, `${id}-removed`, "x")
        yield* remove(bucket, `${id}-removed`)
        const all = yield* list(bucket, { prefix: id, limit: 100 })
        assert.deepStrictEqual(
          all.map((entry) => entry.key),
          keys,
        )
        for (const entry of all) assert.strictEqual(entry.value, `value of ${entry.key}`)
        const keysOf = (page: Parameters<typeof list>[1]) =>
          Effect.map(list(bucket, page), (entries) => entries.map((entry) => entry.key))
        assert.deepStrictEqual(yield* keysOf({ prefix: id, limit: 3 }), keys.slice(0, 3))
        assert.deepStrictEqual(yield* keysOf({ prefix: id, after: `${id}/b`, limit: 2 }), keys.slice(4, 6))
        assert.deepStrictEqual(yield* keysOf({ prefix: id, after: `${id}/aa`, limit: 1 }), [`${id}/b`])
        assert.deepStrictEqual(yield* keysOf({ prefix: id, after: `${id}🎬`, limit: 5 }), [])
        assert.deepStrictEqual(yield* keysOf({ prefix: `${id}/a`, limit: 5 }), [`${id}/a`, `${id}/a/b`])
        assert.deepStrictEqual(yield* keysOf({ prefix: `${id}_`, limit: 5 }), [])
        assert.include(yield* keysOf({ limit: 10_000 }), id)
      }),
    )

    it.effect("keeps hostile keys apart and whole", () =>
      Effect.gen(function* () {
        const { create, get, list, remove } = yield* KeyValue
        const id = (yield* fresh).slice(0, 8)
        const keys = hostileKeys.map((key) => id + key)
        for (const key of keys) yield* create(bucket, key, key)
        // Also as the whole key, where it begins with something a server may reserve.
        for (const key of hostileKeys) {
          yield* create(other, key, key)
          assert.strictEqual(Option.getOrThrow(yield* get(other, key)).value, key)
          yield* remove(other, key)
        }
        for (const key of keys) assert.strictEqual(Option.getOrThrow(yield* get(bucket, key)).value, key)
        const listed = yield* list(bucket, { prefix: id, limit: 100 })
        const byBytes = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        assert.deepStrictEqual(
          listed.map((entry) => entry.key),
          byBytes,
        )
        for (const key of keys) yield* remove(bucket, key)
        assert.deepStrictEqual(yield* list(bucket, { prefix: id, limit: 100 }), [])
      }),
    )

    it.effect("refuses keys and buckets that not every adapter could keep", () =>
      Effect.gen(function* () {
        const { create, get, put, remove, setup, update } = yield* KeyValue
        for (const key of ["", "a\0b", "\ud800", "é".repeat(257)]) {
          const faults = yield* Effect.all([
            Effect.flip(get(bucket, key)),
            Effect.flip(put(bucket, key, "x")),
            Effect.flip(create(bucket, key, "x")),
            Effect.flip(update(bucket, key, "x", 1)),
            Effect.flip(remove(bucket, key)),
          ])
          for (const fault of faults) assert.strictEqual(fault._tag, "ConfigurationError")
        }
        for (const bad of ["", "A", "a.b", "a b", "a/b"]) {
          const wrong: Bucket = { name: bad, maxAge: "never" }
          assert.strictEqual((yield* Effect.flip(setup([wrong])))._tag, "ConfigurationError")
          assert.strictEqual((yield* Effect.flip(get(wrong, "a")))._tag, "ConfigurationError")
        }
      }),
    )

    it.effect("lets exactly one of 50 racing writers win each revision", () =>
      Effect.gen(function* () {
        const { create, get, update } = yield* KeyValue
        const key = yield* fresh
        const race = <E, R>(write: (writer: number) => Effect.Effect<number, E, R>) =>
          Effect.map(
            Effect.forEach(
              Array.from({ length: 50 }, (_, at) => at),
              (writer) => Effect.result(write(writer)),
              {
                concurrency: "unbounded",
              },
            ),
            (results) => results.flatMap((result) => (result._tag === "Success" ? [result.success] : [])),
          )
        const created = yield* race((writer) => create(bucket, key, String(writer)))
        assert.strictEqual(created.length, 1)
        let revision = created[0] ?? 0
        for (let round = 0; round < 4; round++) {
          const won = yield* race((writer) => update(bucket, key, `${round}:${writer}`, revision))
          assert.strictEqual(won.length, 1)
          assert.isAbove(won[0] ?? 0, revision)
          revision = won[0] ?? 0
        }
        assert.strictEqual(Option.getOrThrow(yield* get(bucket, key)).revision, revision)
      }),
    )
  })
