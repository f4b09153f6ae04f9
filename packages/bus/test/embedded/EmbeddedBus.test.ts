import { eventually } from "@armoricore/testing/Eventually"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layerShared } from "@armoricore/embedded/EmbeddedEngine"
import type { EngineDatabase, OperationContext, SqlValue } from "@armoricore/embedded/Operations"
import { assert, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Layer, Queue } from "effect"
import { DatabaseSync } from "node:sqlite"
import * as Address from "../../src/Address.ts"
import { EventBus } from "../../src/EventBus.ts"
import { migrations, operations, sweep } from "../../src/embedded/BusOperations.ts"
import * as EmbeddedBus from "../../src/embedded/EmbeddedBus.ts"
import { behaviourSuite } from "../support/BehaviourSuite.ts"
import { path as busProcess } from "../support/BusProcess.ts"

const newFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "bus-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
)
const on = (folder: string, options: EmbeddedBus.EmbeddedBusOptions = {}) =>
  EmbeddedBus.layerWith(options).pipe(Layer.provide(layerShared({ folder })))

behaviourSuite({ open: Effect.map(newFolder, (folder) => Effect.sync(() => on(folder))), shared: true })

const from = Address.event("media.ready")

/** A child process; its lines come through a queue, and it is gone with the scope. */
const start = Effect.fnUntraced(function* (role: string, folder: string) {
  const lines = yield* Queue.unbounded<string>()
  const child = spawn(process.execPath, [busProcess, role, folder], { stdio: ["ignore", "pipe", "inherit"] })
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()))
  let rest = ""
  child.stdout.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split("\n")
    rest = parts.pop() ?? ""
    for (const line of parts) Queue.offerUnsafe(lines, line)
  })
  const kill = Effect.promise(() => {
    child.kill("SIGKILL")
    return closed
  })
  yield* Effect.addFinalizer(() => kill)
  return { lines, kill }
})

it.live("a publisher killed with kill -9 has lost nothing that was acknowledged", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    const publisher = yield* start("publish", folder)
    const acknowledged = yield* Queue.takeN(publisher.lines, 400)
    yield* publisher.kill
    acknowledged.push(...(yield* Queue.clear(publisher.lines)))
    yield* Effect.gen(function* () {
      const bus = yield* EventBus
      // Publishing them again finds each of them there.
      const receipts = yield* Effect.forEach(
        acknowledged,
        (id) => bus.publish({ address: from, id, body: new Uint8Array() }),
        { concurrency: 64 },
      )
      assert.isTrue(receipts.every(({ duplicate }) => duplicate))
      const got = new Set<string>()
      yield* bus.consume({ name: "worker", from, concurrency: 64 }, ({ id }) =>
        Effect.sync(() => {
          got.add(id)
          return { _tag: "Ack" } as const
        }),
      )
      yield* eventually(() => acknowledged.every((id) => got.has(id)))
    }).pipe(Effect.scoped, Effect.provide(on(folder)))
  }),
)

it.live("messages of a consumer killed with kill -9 come back when its wait is over", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    yield* Effect.gen(function* () {
      const bus = yield* EventBus
      for (const id of ["a", "b", "c"]) yield* bus.publish({ address: from, id, body: new TextEncoder().encode(id) })
      const holder = yield* start("hold", folder)
      yield* Queue.takeN(holder.lines, 2)
      yield* holder.kill
      const got = yield* Queue.unbounded<string>()
      yield* bus.consume(
        { name: "worker", from, concurrency: 4, ackWait: Duration.millis(900) },
        ({ id, deliveryCount }) => Effect.as(Queue.offer(got, `${id}${deliveryCount}`), { _tag: "Ack" } as const),
      )
      const all = yield* Effect.timeout(Queue.takeN(got, 3), "10 seconds")
      assert.deepStrictEqual(all.sort(), ["a2", "b2", "c1"])
    }).pipe(Effect.scoped, Effect.provide(on(folder)))
  }),
)

it.live("delivers the leased messages of an owner that was killed at once to the next owner", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    const publish = Effect.flatMap(EventBus, (bus) =>
      Effect.forEach(["a", "b", "c"], (id) => bus.publish({ address: from, id, body: new TextEncoder().encode(id) })),
    )
    yield* Effect.provide(publish, on(folder))
    // It finds no owner, so it is one; its messages would be due in an hour.
    const owner = yield* start("hold-long", folder)
    yield* Queue.takeN(owner.lines, 2)
    yield* owner.kill
    const got = yield* Queue.unbounded<string>()
    yield* Effect.gen(function* () {
      const bus = yield* EventBus
      yield* bus.consume({ name: "worker", from, concurrency: 4 }, ({ deliveryCount, id }) =>
        Effect.as(Queue.offer(got, `${id}${deliveryCount}`), { _tag: "Ack" } as const),
      )
      const all = yield* Effect.timeout(Queue.takeN(got, 3), "10 seconds")
      assert.deepStrictEqual(all.sort(), ["a2", "b2", "c1"])
    }).pipe(Effect.scoped, Effect.provide(on(folder)))
  }),
)

it.live("a new owner leaves waits for a retry, and what others who share the folder have in hand, as they are", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    const later = { _tag: "Retry", after: Duration.hours(1) } as const
    yield* Effect.gen(function* () {
      const bus = yield* EventBus
      yield* bus.publish({ address: from, id: "a", body: new TextEncoder().encode("a") })
      const waits = yield* Deferred.make<void>()
      const consumer = yield* bus.consume({ name: "patient", from, concurrency: 1 }, () =>
        Effect.as(Deferred.succeed(waits, undefined), later),
      )
      yield* Deferred.await(waits)
      yield* consumer.drain
      const sharer = yield* start("hold-long", folder)
      yield* Queue.take(sharer.lines)
      yield* sharer.kill
    }).pipe(Effect.scoped, Effect.provide(on(folder)))
    yield* Effect.gen(function* () {
      const bus = yield* EventBus
      for (const name of ["patient", "worker"]) {
        const consumer = yield* bus.consume({ name, from, concurrency: 1 }, () => Effect.die("not due"))
        assert.deepInclude(yield* consumer.depth, { inFlight: 1, pending: 0 })
      }
    }).pipe(Effect.scoped, Effect.provide(on(folder)))
  }),
)

it.live("a guard that skips types receives the others only, and is not behind", () =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const got = yield* Queue.unbounded<string>()
    const options = { name: "guard", from: "all-events", skips: ["chat.message"], concurrency: 8 } as const
    const guard = yield* bus.consume(options, ({ subject }) =>
      Effect.as(Queue.offer(got, subject), { _tag: "Ack" } as const),
    )
    const send = (type: string, count: number) =>
      Effect.forEach(
        Array.from({ length: count }, (_, index) => `${type} ${index}`),
        (id) => bus.publish({ address: Address.event(type), id, body: new TextEncoder().encode("canary") }),
        { discard: true },
      )
    yield* send("chat.message", 20)
    assert.deepStrictEqual(yield* guard.depth, { pending: 0, inFlight: 0, oldestAgeMillis: 0 })
    // What it skips counts as handled before it has read any further.
    assert.strictEqual(yield* bus.removeHandled("canary", () => true), 20)
    yield* send("media.ready", 1)
    assert.strictEqual(yield* Queue.take(got), "armoricore.media.ready")
    // The position passes the skipped messages after a while.
    yield* send("chat.message", 300)
    yield* send("media.failed", 1)
    assert.strictEqual(yield* Queue.take(got), "armoricore.media.failed")
    yield* eventually(Effect.map(guard.depth, ({ inFlight, pending }) => inFlight + pending === 0))
    assert.strictEqual(yield* Queue.size(got), 0)
  }).pipe(Effect.provide(Layer.unwrap(Effect.map(newFolder, (folder) => on(folder))))),
)

it.live("a drained consumer has stored its acknowledgements, which wait for a pull otherwise", () =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const got = yield* Queue.unbounded<string>()
    const consumer = yield* bus.consume({ name: "worker", from, concurrency: 4 }, ({ id }) =>
      Effect.as(Queue.offer(got, id), { _tag: "Ack" } as const),
    )
    for (const id of ["a", "b", "c"])
      yield* bus.publish({ address: from, id, body: new TextEncoder().encode("canary") })
    yield* Queue.takeN(got, 3)
    yield* consumer.drain
    assert.strictEqual(yield* bus.removeHandled("canary", () => true), 3)
  }).pipe(Effect.scoped, Effect.provide(Layer.unwrap(Effect.map(newFolder, (folder) => on(folder))))),
)

it.live("a full folder refuses events with `full` and still takes dead letters", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    yield* Effect.gen(function* () {
      const bus = yield* EventBus
      const body = new Uint8Array(100_000)
      const error = yield* Effect.flip(
        Effect.forEach(
          Array.from({ length: 40 }, (_, n) => n),
          (n) => bus.publish({ address: from, id: `${n}`, body }),
        ),
      )
      assert.strictEqual(error._tag, "TransientError")
      if (error._tag === "TransientError") assert.strictEqual(error.code, "full")
      yield* bus.publish({ address: Address.deadLetter("media", "x"), id: "letter", body })
    }).pipe(Effect.provide(on(folder, { maxBytes: 1_000_000 })))
  }),
)

/** The engine's database on SQLite in memory, and publishing to it with a window of 100 ms. */
const inMemory = () => {
  const sqlite = new DatabaseSync(":memory:")
  for (const script of migrations) sqlite.exec(script)
  const open = (): EngineDatabase => ({
    run: (sql, ...parameters) => {
      const { changes, lastInsertRowid } = sqlite.prepare(sql).run(...parameters)
      return { changes: Number(changes), lastInsertRowid: Number(lastInsertRowid) }
    },
    get: <Row>(sql: string, ...parameters: ReadonlyArray<SqlValue>) => sqlite.prepare(sql).get(...parameters) as Row,
    all: <Row>(sql: string, ...parameters: ReadonlyArray<SqlValue>) =>
      sqlite.prepare(sql).all(...parameters) as unknown as ReadonlyArray<Row>,
    usedBytes: () => 0,
  })
  const context: OperationContext = {
    options: { window: 100, eventAge: 1_000 },
    hasSubscribers: () => false,
    emit: () => {},
  }
  const db = open()
  const publish = (id: string, at: number, to = db) =>
    operations.publish(
      to,
      { table: "bus_event", subject: "s", id, headers: "{}", body: new Uint8Array(), at, window: 100, maxBytes: 1 },
      context,
    )
  return { sqlite, open, db, context, publish }
}

it("an id is a duplicate until its window is over: among many, after a rollback, and for the next owner", () => {
  const { context, db, open, publish, sqlite } = inMemory()
  const many = Array.from({ length: 700 }, (_, index) => `id ${index}`)
  for (const id of many) assert.strictEqual(publish(id, 0), "stored")
  sqlite.exec("BEGIN")
  assert.strictEqual(publish("rolled back", 1), "stored")
  sqlite.exec("ROLLBACK")
  // Its row has the sequence that the other one had.
  assert.strictEqual(publish("stored", 1), "stored")
  assert.strictEqual(publish("rolled back", 1), "stored")
  const nextOwner = open()
  for (const to of [db, nextOwner])
    for (const id of [...many, "stored", "rolled back"]) assert.strictEqual(publish(id, 99, to), "duplicate")
  sweep(nextOwner, context, 100)
  assert.strictEqual(publish("stored", 100, nextOwner), "duplicate")
  for (const id of many) assert.strictEqual(publish(id, 100, nextOwner), "stored")
  for (const id of many) assert.strictEqual(publish(id, 199, nextOwner), "duplicate")
})

it("the sweep drops events and ids by age, and their sequences are never used again", () => {
  const { context, db, publish } = inMemory()
  const take = (now: number) =>
    operations.take(db, {
      name: "c",
      table: "bus_event",
      subject: "s",
      max: 9,
      now,
      ackWait: 5_000,
      maxDeliveries: 9,
      ownerId: "",
    })
  operations.ensure(db, { name: "c", source: "s" })
  assert.strictEqual(publish("a", 0), "stored")
  assert.strictEqual(publish("a", 99), "duplicate")
  assert.strictEqual(publish("a", 100), "stored")
  assert.lengthOf(take(100).rows, 2)
  sweep(db, context, 1_100)
  assert.strictEqual(publish("b", 1_100), "stored")
  // The deleted ones are gone although they were never acknowledged; the new one is not taken for one of them.
  assert.deepStrictEqual(
    take(9_999).rows.map(({ seq, id }) => `${seq}${id}`),
    ["3b"],
  )
})
