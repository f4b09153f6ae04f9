/** The behaviour of every adapter of the history port. Each test uses its own rooms. */
import { randomUUID } from "node:crypto"
import {
  type AppendNotification,
  type AppendResult,
  History,
  maxBodyBytes,
  type PageRequest,
  update,
} from "@armoricore/history/History"
import { assert, layer } from "@effect/vitest"
import { Duration, Effect, type Layer, Queue, Schedule } from "effect"
import { TestClock } from "effect/testing"

export interface AdapterTraits {
  /** `virtual` where the adapter's time is Effect's clock alone, so that a test can move it. */
  readonly clock: "virtual" | "real"
}

/** The retention of the adapters under test. */
export const retention = { maxAge: Duration.seconds(3), maxPerRoom: 20 }

const fresh = Effect.sync(() => `chat:room:${randomUUID()}`)
const bytes = (text: string) => new TextEncoder().encode(text)
const text = (body: Uint8Array) => new TextDecoder().decode(body)

const permutations = (items: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> =>
  items.length === 0
    ? [[]]
    : items.flatMap((first) => permutations(items.filter((one) => one !== first)).map((rest) => [first, ...rest]))

const retained = (appended: AppendResult) => {
  if (appended._tag === "Removed") throw new Error("it was removed")
  return appended
}

export const behaviourSuite = (name: string, history: Layer.Layer<History, unknown>, traits: AdapterTraits) =>
  layer(history, { excludeTestServices: traits.clock === "real", timeout: "30 seconds" })(name, (it) => {
    const say = Effect.fnUntraced(function* (room: string, id: string, body = id) {
      return retained(yield* (yield* History).append(room, id, bytes(body)))
    })
    const fill = (room: string, from: number, to: number) =>
      Effect.forEach(
        Array.from({ length: to - from }, (_, index) => `m${from + index}`),
        (id) => Effect.map(say(room, id), ({ item }) => item.seq),
      )
    const readPage = Effect.fnUntraced(function* (room: string, page: PageRequest) {
      const { items, more, complete } = yield* (yield* History).read(room, page)
      return { ids: items.map(({ id }) => id), more, complete, seqs: items.map(({ seq }) => seq) }
    })
    const read = Effect.fnUntraced(function* (room: string, after?: number, limit = 50) {
      const { ids, complete, seqs } = yield* readPage(room, after === undefined ? { limit } : { after, limit })
      return { ids, complete, seqs }
    })

    it.effect("is set up as often as one likes", () =>
      Effect.gen(function* () {
        const { setup } = yield* History
        yield* setup
        const [line = ""] = yield* setup
        assert.match(line, /history/i)
      }),
    )

    it.effect("gives what was added, in order, with growing numbers", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        assert.deepStrictEqual(yield* read(room), { ids: [], complete: true, seqs: [] })
        const seqs = yield* fill(room, 0, 5)
        assert.deepStrictEqual(
          seqs,
          [...seqs].sort((a, b) => a - b),
        )
        assert.strictEqual(new Set(seqs).size, 5)
        assert.isAbove(seqs[0] ?? 0, 0)
        assert.deepStrictEqual(yield* read(room), { ids: ["m0", "m1", "m2", "m3", "m4"], complete: true, seqs })
        assert.deepStrictEqual((yield* read(yield* fresh)).ids, [])
      }),
    )

    it.effect("tells followers of a room what is added, each once, with the number before it", () =>
      Effect.gen(function* () {
        const [room, other] = [yield* fresh, yield* fresh]
        yield* say(room, "before")
        const received = yield* Queue.unbounded<AppendNotification>()
        const { subscribe } = yield* History
        yield* subscribe(
          room,
          (added) => Queue.offerUnsafe(received, added),
          () => {},
        )
        const long = "x".repeat(20_000)
        yield* say(other, "elsewhere")
        yield* say(room, "m0", "é日🎬")
        yield* say(room, "m0", "again")
        yield* say(room, "m1", long)
        const [first, second] = yield* Queue.takeN(received, 2)
        assert.deepStrictEqual(
          [first, second].map((added) => [added?.item.id, added === undefined ? "" : text(added.item.body)]),
          [
            ["m0", "é日🎬"],
            ["m1", long],
          ],
        )
        assert.deepStrictEqual((yield* read(room)).seqs, [first?.previousSeq, first?.item.seq, second?.item.seq])
        assert.strictEqual(second?.previousSeq, first?.item.seq)
        const fromTheStart = yield* fresh
        yield* Effect.scoped(
          subscribe(
            fromTheStart,
            (added) => Queue.offerUnsafe(received, added),
            () => {},
          ),
        )
        yield* say(fromTheStart, "unheard")
        yield* subscribe(
          other,
          (added) => Queue.offerUnsafe(received, added),
          () => {},
        )
        yield* say(other, "m2")
        assert.strictEqual((yield* Queue.take(received)).item.id, "m2")
        const empty = yield* fresh
        yield* subscribe(
          empty,
          (added) => Queue.offerUnsafe(received, added),
          () => {},
        )
        yield* say(empty, "first")
        assert.strictEqual((yield* Queue.take(received)).previousSeq, 0)
      }),
    )

    it.effect("keeps bodies whole", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        for (const body of ["", "\0", "é日🎬\n", "x".repeat(100_000)]) {
          const { item } = yield* say(room, randomUUID(), body)
          assert.strictEqual(text(item.body), body)
        }
        const { items } = yield* (yield* History).read(room, { limit: 50 })
        assert.deepStrictEqual(
          items.map((item) => text(item.body)),
          ["", "\0", "é日🎬\n", "x".repeat(100_000)],
        )
      }),
    )

    it.effect("adds an id once and gives again what was added first", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        const first = yield* say(room, "a", "first")
        yield* say(room, "b")
        const again = yield* say(room, "a", "second")
        assert.deepStrictEqual(
          { ...again, text: text(again.item.body), seq: again.item.seq, fresh: again.fresh },
          { ...again, text: "first", seq: first.item.seq, fresh: false },
        )
        assert.isTrue(first.fresh)
        assert.deepStrictEqual((yield* read(room)).ids, ["a", "b"])
        const elsewhere = yield* say(yield* fresh, "a", "other")
        assert.isTrue(elsewhere.fresh)
      }),
    )

    it.effect("adds an id once when many add it in the same moment", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        const all = yield* Effect.forEach(Array.from({ length: 20 }), () => say(room, "a"), {
          concurrency: "unbounded",
        })
        assert.strictEqual(all.filter((one) => one.fresh).length, 1)
        assert.strictEqual(new Set(all.map(({ item }) => item.seq)).size, 1)
      }),
    )

    it.effect("keeps the order of those who add at once, without gaps in what they see", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        const all = yield* Effect.forEach(
          Array.from({ length: 15 }, (_, index) => `c${index}`),
          (id) => Effect.map(say(room, id), ({ item }) => item),
          { concurrency: "unbounded" },
        )
        const inOrder = [...all].sort((a, b) => a.seq - b.seq).map(({ id }) => id)
        assert.deepStrictEqual((yield* read(room)).ids, inOrder)
      }),
    )

    it.effect("gives what came since, and the latest so many", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        const seqs = yield* fill(room, 0, 6)
        const since = seqs[2] ?? 0
        assert.deepStrictEqual((yield* read(room, since)).ids, ["m3", "m4", "m5"])
        assert.isTrue((yield* read(room, since)).complete)
        assert.deepStrictEqual(yield* read(room, seqs[5]), { ids: [], complete: true, seqs: [] })
        assert.deepStrictEqual((yield* read(room, undefined, 2)).ids, ["m4", "m5"])
      }),
    )

    it.effect("a page after a `seq` has the oldest items, a page before a `seq` the latest ones", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        const other = yield* fresh
        const seqs: Array<number> = []
        for (let index = 0; index < 8; index++) {
          seqs.push(...(yield* fill(room, index, index + 1)))
          yield* fill(other, index, index + 1)
        }
        const page = (request: PageRequest) =>
          Effect.map(readPage(room, request), ({ ids, more, complete }) => [ids.join(" "), more, complete])
        const at = (index: number) => seqs[index] ?? 0
        assert.deepStrictEqual(yield* page({ after: at(1), limit: 3 }), ["m2 m3 m4", true, true])
        assert.deepStrictEqual(yield* page({ after: at(4), limit: 3 }), ["m5 m6 m7", false, true])
        assert.deepStrictEqual(yield* page({ after: at(5), limit: 3 }), ["m6 m7", false, true])
        assert.deepStrictEqual(yield* page({ after: 0, limit: 2 }), ["m0 m1", true, true])
        assert.deepStrictEqual(yield* page({ limit: 3 }), ["m5 m6 m7", true, true])
        assert.deepStrictEqual(yield* page({ limit: 8 }), ["m0 m1 m2 m3 m4 m5 m6 m7", false, true])
        assert.deepStrictEqual(yield* page({ before: at(5), limit: 3 }), ["m2 m3 m4", true, true])
        assert.deepStrictEqual(yield* page({ before: at(3), limit: 3 }), ["m0 m1 m2", false, true])
        assert.deepStrictEqual(yield* page({ before: at(0), limit: 3 }), ["", false, true])
        assert.deepStrictEqual(yield* page({ before: at(7) + 1000, limit: 2 }), ["m6 m7", true, true])
        yield* (yield* History).remove(room, "m4")
        assert.deepStrictEqual(yield* page({ before: at(5), limit: 3 }), ["m1 m2 m3", true, true])
        assert.deepStrictEqual(yield* page({ before: at(4), limit: 2 }), ["m2 m3", true, true])
        assert.deepStrictEqual(yield* page({ after: at(3), limit: 3 }), ["m5 m6 m7", false, true])
        assert.deepStrictEqual(yield* page({ after: at(4), limit: 1 }), ["m5", true, true])
      }),
    )

    it.effect("a page ends where its bodies exceed `maxBytes`, after at least one item", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        for (const id of ["a", "b", "c", "d"]) yield* say(room, id, "x".repeat(1000))
        const page = (request: PageRequest) =>
          Effect.map(readPage(room, request), ({ ids, more }) => [ids.join(" "), more])
        assert.deepStrictEqual(yield* page({ after: 0, limit: 10, maxBytes: 2500 }), ["a b", true])
        assert.deepStrictEqual(yield* page({ limit: 10, maxBytes: 2500 }), ["c d", true])
        assert.deepStrictEqual(yield* page({ after: 0, limit: 10, maxBytes: 1 }), ["a", true])
        assert.deepStrictEqual(yield* page({ limit: 10, maxBytes: 1 }), ["d", true])
        assert.deepStrictEqual(yield* page({ limit: 10, maxBytes: 4000 }), ["a b c d", false])
      }),
    )

    it.effect("does not claim to have what it never had", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        const seqs = yield* fill(room, 0, 1)
        assert.isFalse((yield* read(room, (seqs[0] ?? 0) + 1_000_000)).complete)
      }),
    )

    it.effect("removes matching items in every room, and their seq stays taken", () =>
      Effect.gen(function* () {
        const [room, other] = [yield* fresh, `user:${randomUUID()} `.trim()]
        const { removeMatching } = yield* History
        const mark = randomUUID()
        const own = yield* say(room, "own", `{"user_id":"${mark}"}`)
        yield* say(room, "mentions", `{"user_id":"else","content":"${mark}"}`)
        yield* say(other, "own", `{"user_id":"${mark}"}`)
        const isOwn = (body: Uint8Array) => text(body).includes(`"user_id":"${mark}"`)
        const removed = yield* removeMatching(mark, isOwn)
        assert.sameDeepMembers(
          removed.map(({ id, room: of }) => [of, id]),
          [
            [room, "own"],
            [other, "own"],
          ],
        )
        assert.deepStrictEqual((yield* read(room)).ids, ["mentions"])
        assert.deepStrictEqual(yield* removeMatching(mark, isOwn), [])
        assert.isAbove((yield* say(room, "next")).item.seq, own.item.seq + 1)
      }),
    )

    it.effect("removes an item for good", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        const { append, remove } = yield* History
        const seqs = yield* fill(room, 0, 3)
        assert.isTrue(yield* remove(room, "m1"))
        assert.isFalse(yield* remove(room, "m1"))
        assert.isFalse(yield* remove(room, "never"))
        assert.deepStrictEqual((yield* read(room)).ids, ["m0", "m2"])
        assert.isTrue((yield* read(room, seqs[0])).complete)
        assert.deepStrictEqual(yield* append(room, "m1", bytes("again")), { _tag: "Removed" })
        assert.deepStrictEqual((yield* read(room)).ids, ["m0", "m2"])
      }),
    )

    it.effect("has the other items after the removal of the last one", () =>
      Effect.gen(function* () {
        // regression: on NATS before 2.10 a room looked empty from the removal of its last item until the next append.
        const room = yield* fresh
        const { count, remove } = yield* History
        const [first = 0] = yield* fill(room, 0, 4)
        yield* say(yield* fresh, "other")
        yield* remove(room, "m3")
        assert.deepStrictEqual((yield* read(room)).ids, ["m0", "m1", "m2"])
        assert.deepStrictEqual((yield* read(room, first)).ids, ["m1", "m2"])
        assert.strictEqual(yield* count(room, first, 10), 2)
        yield* remove(room, "m2")
        assert.deepStrictEqual((yield* read(room, first)).ids, ["m1"])
        yield* fill(room, 4, 5)
        assert.deepStrictEqual((yield* read(room)).ids, ["m0", "m1", "m4"])
        yield* remove(room, "m0")
        assert.deepStrictEqual((yield* read(room)).ids, ["m1", "m4"])
      }),
    )

    it.effect("has the other items after removals in any order", () =>
      Effect.gen(function* () {
        // regression: NATS before 2.10.25 lost the last item of a room that was left after others, with the newest first.
        const { count, get, remove } = yield* History
        for (const order of permutations(["m0", "m1", "m2", "m3"])) {
          const room = yield* fresh
          yield* fill(room, 0, 4)
          yield* say(yield* fresh, "other")
          const left = new Set(["m0", "m1", "m2", "m3"])
          for (const id of order) {
            assert.isTrue(yield* remove(room, id))
            left.delete(id)
            const ids = [...left].sort()
            assert.deepStrictEqual((yield* read(room)).ids, ids, `after ${order.join()} until ${id}`)
            assert.deepStrictEqual((yield* read(room, 0)).ids, ids, `after ${order.join()} until ${id}`)
            assert.strictEqual(yield* count(room, 0, 10), ids.length)
            for (const other of ids) assert.isDefined(yield* get(room, other))
          }
        }
      }),
    )

    it.effect("replaces the body of an item in its place", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        const { get, read: readRoom, remove, replace } = yield* History
        const seqs = yield* fill(room, 0, 4)
        assert.deepStrictEqual(yield* get(room, "m1"), { seq: seqs[1] ?? 0, id: "m1", body: bytes("m1") })
        assert.isUndefined(yield* get(room, "never"))
        assert.isTrue(yield* replace(room, "m1", bytes("m1"), bytes("second")))
        // Compared with the body before the last replacement.
        assert.isFalse(yield* replace(room, "m1", bytes("m1"), bytes("lost")))
        assert.isTrue(yield* replace(room, "m1", bytes("second"), bytes("third")))
        assert.isFalse(yield* replace(room, "never", bytes("m1"), bytes("lost")))
        const bodies = (page: PageRequest) =>
          Effect.map(readRoom(room, page), ({ items }) => items.map(({ seq, body }) => [seq, text(body)]))
        const expected = seqs.map((seq, index) => [seq, index === 1 ? "third" : `m${index}`])
        assert.deepStrictEqual(yield* bodies({ limit: 10 }), expected)
        assert.deepStrictEqual(yield* bodies({ after: seqs[0] ?? 0, limit: 2 }), expected.slice(1, 3))
        assert.deepStrictEqual(yield* bodies({ before: seqs[2] ?? 0, limit: 1 }), expected.slice(1, 2))
        assert.deepStrictEqual(text((yield* get(room, "m1"))?.body ?? bytes("")), "third")
        const again = yield* say(room, "m1")
        assert.deepStrictEqual([again.fresh, text(again.item.body)], [false, "third"])
        // The limit of the page counts the replaced body.
        assert.isTrue(yield* replace(room, "m1", bytes("third"), bytes("x".repeat(100))))
        assert.deepStrictEqual((yield* readPage(room, { after: 0, limit: 10, maxBytes: 50 })).ids, ["m0"])
        assert.isTrue(yield* remove(room, "m1"))
        assert.isUndefined(yield* get(room, "m1"))
        assert.isFalse(yield* replace(room, "m1", bytes("third"), bytes("lost")))
        assert.deepStrictEqual((yield* read(room)).ids, ["m0", "m2", "m3"])
      }),
    )

    it.effect("loses no change when many change an item at once", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        const history = yield* History
        yield* say(room, "counter", "0")
        const increment = update(history, room, "counter", ({ body }) =>
          Effect.succeed(bytes(String(Number(text(body)) + 1))),
        )
        yield* Effect.all(
          Array.from({ length: 8 }, () => increment),
          { concurrency: "unbounded" },
        )
        assert.strictEqual(text((yield* history.get(room, "counter"))?.body ?? bytes("")), "8")
      }),
    )

    it.effect("counts the items after a `seq`, without removed ones", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        const { count, remove } = yield* History
        assert.strictEqual(yield* count(room, 0, 100), 0)
        const seqs = yield* fill(room, 0, 6)
        yield* remove(room, "m4")
        assert.strictEqual(yield* count(room, 0, 100), 5)
        assert.strictEqual(yield* count(room, seqs[2] ?? 0, 100), 2)
        assert.strictEqual(yield* count(room, seqs[5] ?? 0, 100), 0)
        assert.strictEqual(yield* count(room, 0, 3), 3)
      }),
    )

    it.effect("keeps the latest of a room, and says who missed something", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        const seqs = yield* fill(room, 0, retention.maxPerRoom + 5)
        const all = yield* read(room)
        assert.strictEqual(all.ids.length, retention.maxPerRoom)
        assert.strictEqual(all.ids[0], "m5")
        assert.isFalse((yield* read(room, seqs[3])).complete)
        // m4 itself is deleted, and everything after it is stored.
        assert.isTrue((yield* read(room, seqs[4])).complete)
        assert.isTrue((yield* read(room, seqs[6])).complete)
        assert.strictEqual((yield* read(room, seqs[6])).ids.length, retention.maxPerRoom - 2)
      }),
    )

    it.effect("forgets what is too old, and never repeats a number", () =>
      Effect.gen(function* () {
        const room = yield* fresh
        const seqs = yield* fill(room, 0, 3)
        if (traits.clock === "virtual") yield* TestClock.adjust("2 minutes")
        else {
          yield* Effect.repeat(read(room), {
            until: ({ ids }) => ids.length === 0,
            schedule: Schedule.spaced("100 millis"),
          }).pipe(Effect.timeout("15 seconds"))
        }
        assert.isFalse((yield* read(room, seqs[0])).complete)
        const later = yield* fill(room, 10, 12)
        assert.isAbove(later[0] ?? 0, seqs[2] ?? 0)
        assert.deepStrictEqual((yield* read(room)).ids, ["m10", "m11"])
        assert.isFalse((yield* read(room, seqs[0])).complete)
      }),
    )

    it.effect("keeps rooms apart whose names have characters that a subject or a key treats as special", () =>
      Effect.gen(function* () {
        const names = ["auth0|7", "auth0=7c7", "ada@example.com", "a.b", "a.*", "a.>", "a/b", "日本".repeat(64), "é"]
        const rooms = names.map((name) => `user:${randomUUID()}:${name}`)
        const received = yield* Queue.unbounded<string>()
        for (const room of rooms) {
          const { subscribe } = yield* History
          yield* subscribe(
            room,
            ({ item }) => Queue.offerUnsafe(received, `${room} ${item.id}`),
            () => {},
          )
          yield* say(room, "m0")
          yield* say(room, "m0")
          assert.strictEqual(yield* Queue.take(received), `${room} m0`)
        }
        for (const room of rooms) assert.deepStrictEqual((yield* read(room)).ids, ["m0"])
        assert.isTrue(yield* (yield* History).remove(rooms[0] ?? "", "m0"))
        assert.deepStrictEqual((yield* read(rooms[0] ?? "")).ids, [])
        assert.deepStrictEqual((yield* read(rooms[1] ?? "")).ids, ["m0"])
      }),
    )

    it.effect("refuses rooms, ids and bodies that no adapter could keep", () =>
      Effect.gen(function* () {
        const { append } = yield* History
        const room = yield* fresh
        const faults = yield* Effect.all([
          Effect.flip(append("a b", "a", bytes("x"))),
          Effect.flip(append("a\n", "a", bytes("x"))),
          Effect.flip(append("x".repeat(801), "a", bytes("x"))),
          Effect.flip(append("", "a", bytes("x"))),
          Effect.flip(append(room, "a b", bytes("x"))),
          Effect.flip(append(room, "", bytes("x"))),
          Effect.flip(append(room, "a", new Uint8Array(maxBodyBytes + 1))),
        ])
        assert.deepStrictEqual([...new Set(faults.map((fault) => fault._tag))], ["PermanentError"])
      }),
    )
  })
