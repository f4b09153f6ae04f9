import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NatsConnection from "@armoricore/nats/NatsConnection"
import * as EmbeddedEngine from "@armoricore/embedded/EmbeddedEngine"
import * as EmbeddedHistory from "@armoricore/history/embedded/EmbeddedHistory"
import { History } from "@armoricore/history/History"
import type { Retention } from "@armoricore/history/Retention"
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory"
import * as NatsHistory from "@armoricore/history/nats/NatsHistory"
import * as PostgresHistory from "@armoricore/history/postgres/PostgresHistory"
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as PostgresServer from "@armoricore/testing/PostgresServer"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Redacted, Result } from "effect"
import { nanos } from "nats"
import { behaviourSuite, retention } from "./support/BehaviourSuite.ts"

const embedded = (limits: Retention) =>
  Layer.unwrap(
    Effect.map(
      Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "armoricore-history-"))),
        (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true })),
      ),
      (folder) => EmbeddedHistory.layer(limits).pipe(Layer.provide(EmbeddedEngine.layerOwner({ folder }))),
    ),
  )

const connection = Layer.unwrap(
  Effect.map(NatsServer.NatsServer, ({ url }) => NatsConnection.layer({ servers: [url] })),
)
const connected = Layer.effectDiscard(Effect.flatMap(NatsConnection.NatsConnection, (nats) => nats.connected))
const ready = Layer.effectDiscard(Effect.flatMap(History, ({ setup }) => setup))
const nats = (limits: NatsHistory.NatsHistoryOptions) =>
  ready.pipe(
    Layer.provideMerge(NatsHistory.layer(limits)),
    Layer.provideMerge(connected),
    Layer.provide(connection),
    Layer.provide(NatsServer.layer),
  )

const postgres = (limits: Retention) =>
  ready.pipe(
    Layer.provideMerge(
      Layer.unwrap(
        Effect.map(PostgresServer.PostgresServer, ({ url }) =>
          PostgresHistory.layer({ ...limits, url: Redacted.make(url) }),
        ),
      ),
    ),
    Layer.provide(PostgresServer.layer),
  )

const stored = 1_500

/** More items than one read may have: every stored item is read back, in both directions. */
const pagingSuite = (name: string, history: Layer.Layer<History, unknown>) =>
  layer(history, { excludeTestServices: true, timeout: "30 seconds" })(
    `${name} with ${stored} items in a room`,
    (it) => {
      it.effect(
        "reads all items by pages, in both directions",
        () =>
          Effect.gen(function* () {
            // regression: nothing beyond the newest 1,000 entries was readable.
            const { append, count, read } = yield* History
            const ids = Array.from({ length: stored }, (_, index) => `m${index}`)
            const add = (id: string) =>
              Effect.andThen(
                append("chat:room:full", id, new Uint8Array(100)),
                append("chat:room:other", id, new Uint8Array(1)),
              )
            yield* Effect.forEach(ids, add, { concurrency: 64, discard: true })
            const forward: Array<string> = []
            for (let after = 0, more = true; more;) {
              const page = yield* read("chat:room:full", { after, limit: 400 })
              assert.isTrue(page.complete)
              forward.push(...page.items.map(({ id }) => id))
              after = page.items.at(-1)?.seq ?? 0
              more = page.more
            }
            const backward: Array<string> = []
            for (let before = Number.MAX_SAFE_INTEGER, more = true; more;) {
              const page = yield* read("chat:room:full", { before, limit: 400 })
              backward.unshift(...page.items.map(({ id }) => id))
              before = page.items[0]?.seq ?? 0
              more = page.more
            }
            assert.deepStrictEqual([...forward].sort(), [...ids].sort())
            assert.deepStrictEqual(backward, forward)
            assert.strictEqual(yield* count("chat:room:full", 0, 1_000), 1_000)
            assert.strictEqual(yield* count("chat:room:full", 0, stored * 2), stored)
          }),
        60_000,
      )
    },
  )

const many = { maxAge: Duration.days(1), maxPerRoom: stored }

behaviourSuite("memory", MemoryHistory.layer(retention), { clock: "virtual" })
pagingSuite("memory", MemoryHistory.layer(many))
behaviourSuite("embedded", embedded(retention), { clock: "real" })
pagingSuite("embedded", embedded(many))
describe.skipIf(Programs.requireProgram("nats-server").missing)("with a nats-server", () => {
  behaviourSuite("JetStream", nats(retention), { clock: "real" })
  pagingSuite("JetStream", nats(many))
  // As far from the end of the stream as in a room of a million messages.
  pagingSuite("JetStream by single requests", nats({ ...many, maxCountedPerItem: 0 }))

  it.live("finds each item of a large room by its id, also from another process", () =>
    Effect.gen(function* () {
      // regression: an item behind the latest 10,000 could not be edited or removed.
      const { url } = yield* NatsServer.make()
      const open = (options: NatsHistory.NatsHistoryOptions) =>
        Effect.map(
          Layer.build(
            Layer.fresh(NatsHistory.layer({ maxAge: Duration.days(1), maxSearched: 500, ...options })).pipe(
              Layer.provide(NatsConnection.layer({ servers: [url] })),
            ),
          ),
          (services) => Context.get(services, History),
        )
      const room = "chat:room:large"
      const bytes = (text: string) => new TextEncoder().encode(text)
      const small = yield* open({ maxPerRoom: 500 })
      yield* small.setup
      yield* small.append(room, "unindexed", bytes("0"))
      const writer = yield* open({ maxPerRoom: 1_500 })
      yield* writer.setup
      const ids = Array.from({ length: 1_100 }, (_, index) => (index === 0 ? "ann@example.com/1.*>" : `m${index}`))
      const [first = ""] = ids
      yield* Effect.forEach(ids, (id) => writer.append(room, id, bytes(id)), { concurrency: 64, discard: true })

      const reader = yield* open({ maxPerRoom: 1_500 })
      const found = yield* reader.get(room, first)
      assert.strictEqual(new TextDecoder().decode(found?.body), first)
      assert.isTrue(yield* reader.replace(room, first, bytes(first), bytes("edited")))
      assert.isTrue(yield* reader.remove(room, "m1"))
      assert.isUndefined(yield* reader.get(room, "m1"))
      assert.isUndefined(yield* reader.get(room, "never"))
      assert.isUndefined(yield* (yield* open({ maxPerRoom: 1_500 })).get(room, "unindexed"))
      const page = yield* reader.read(room, { after: 0, limit: 3 })
      assert.deepStrictEqual(
        page.items.map(({ body }) => new TextDecoder().decode(body)),
        ["0", "edited", "m2"],
      )
      assert.strictEqual(yield* reader.count(room, 0, 2_000), 1_100)
      // The entries of the index are no items.
      const removed = yield* reader.removeMatching("2", () => true)
      assert.deepStrictEqual(removed.map(({ id }) => id).sort(), ids.filter((id) => id.includes("2")).sort())
    }),
  )

  it.live("names the fault of an existing stream that does not republish", () =>
    Effect.gen(function* () {
      const { manager } = yield* (yield* NatsConnection.NatsConnection).jetstream
      yield* Effect.promise(() =>
        manager.streams.add({
          name: "ARMORICORE_HISTORY",
          subjects: ["armoricore-history.>"],
          max_age: nanos(Duration.toMillis(retention.maxAge)),
          max_msgs_per_subject: retention.maxPerRoom,
          duplicate_window: nanos(Math.min(300_000, Duration.toMillis(retention.maxAge))),
          allow_direct: true,
        }),
      )
      const { setup } = yield* History
      const result = yield* Effect.result(setup)
      // NATS 2.10 and newer add republishing to the stream; an older server cannot.
      if (Result.isSuccess(result)) assert.include(result.success.join(), "updated republish")
      else assert.include(result.failure.message, "does not republish")
    }).pipe(
      Effect.provide(
        NatsHistory.layer(retention).pipe(
          Layer.provideMerge(connected),
          Layer.provideMerge(connection),
          Layer.provide(NatsServer.layer),
        ),
      ),
    ),
  )
})
describe.skipIf(Programs.requireProgram("postgres").missing)("with a PostgreSQL server", () => {
  behaviourSuite("PostgreSQL", postgres(retention), { clock: "real" })
  pagingSuite("PostgreSQL", postgres(many))
})
