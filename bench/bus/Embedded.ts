/**
 * The embedded engine against bare SQLite in the same process, with the same durability and transactions of the same size:
 *
 * - publish against inserts into one table with one unique index, and against the engine's own statements;
 * - the worker loop with its ledger (take, claim, decide, acknowledge) against the statements of these four steps.
 */
import * as BusOperations from "@armoricore/bus/embedded/BusOperations"
import * as EmbeddedBus from "@armoricore/bus/embedded/EmbeddedBus"
import * as EmbeddedEngine from "@armoricore/embedded/EmbeddedEngine"
import * as Database from "@armoricore/embedded/thread/Database"
import * as EmbeddedState from "@armoricore/state/embedded/EmbeddedState"
import * as StateOperations from "@armoricore/state/embedded/StateOperations"
import { Ledger, on, Worker } from "@armoricore/worker"
import { Console, Deferred, Effect, FileSystem, Layer } from "effect"
import { DatabaseSync } from "node:sqlite"
import { runBenchmark } from "../cli.ts"
import { best, bodyOf, busPublish, type Cost, ids, maxInFlight, measure, row, type } from "./Cases.ts"

/** The same rows, `wide` a transaction, each transaction on the disk before the next. */
const rawSqlite = Effect.fnUntraced(function* (folder: string, batch: ReadonlyArray<string>) {
  const db = new DatabaseSync(`${folder}/${crypto.randomUUID()}.db`)
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
  db.exec(
    "CREATE TABLE event (seq INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT, id TEXT UNIQUE, headers TEXT, body BLOB, at INTEGER) STRICT",
  )
  const insert = db.prepare("INSERT INTO event (subject, id, headers, body, at) VALUES (?, ?, '{}', ?, ?)")
  const cost = yield* measure(
    batch.length,
    Effect.sync(() => {
      for (let from = 0; from < batch.length; from += maxInFlight) {
        db.exec("BEGIN IMMEDIATE")
        for (const id of batch.slice(from, from + maxInFlight))
          insert.run(`armoricore.${type}`, id, bodyOf(id), Date.now())
        db.exec("COMMIT")
      }
    }),
  )
  db.close()
  return cost
})

/** A file with the tables of the engine, without its thread. */
const bareEngine = (folder: string) => {
  const db = Database.open(`${folder}/${crypto.randomUUID()}.db`, 0)
  for (const script of [...BusOperations.migrations, ...StateOperations.migrations]) db.exec(script)
  const transaction = <A>(body: () => A): A => {
    db.begin()
    const value = body()
    db.exec("COMMIT")
    return value
  }
  return { db, transaction }
}
const context = { options: {}, hasSubscribers: () => false, emit: () => {} }

const chunksOf = <A>(all: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size))

const publishAll = ({ db, transaction }: ReturnType<typeof bareEngine>, batch: ReadonlyArray<string>) => {
  for (const chunk of chunksOf(batch, maxInFlight))
    transaction(() => {
      for (const id of chunk) {
        const message = { table: "bus_event", subject: `armoricore.${type}`, headers: "{}" } as const
        const limits = { window: 120_000, maxBytes: 4e9 }
        BusOperations.operations.publish(db, { ...message, ...limits, id, body: bodyOf(id), at: Date.now() }, context)
      }
    })
}

const bareStatements = Effect.fnUntraced(function* (folder: string, batch: ReadonlyArray<string>) {
  const bare = bareEngine(folder)
  const cost = yield* measure(
    batch.length,
    Effect.sync(() => publishAll(bare, batch)),
  )
  bare.db.close()
  return cost
})

/** Take, claim, decide, acknowledge: `wide` messages a transaction, four transactions. */
const bareLoop = Effect.fnUntraced(function* (folder: string, batch: ReadonlyArray<string>, wide: number) {
  const bare = bareEngine(folder)
  publishAll(bare, batch)
  const { db, transaction } = bare
  const { ack, ensure, take } = BusOperations.operations
  const consumer = { name: "bench", table: "bus_event", subject: `armoricore.${type}` } as const
  const lease = JSON.stringify({ status: "leased", owner: "bench", until: 0, attempts: 0, firstAt: 0 })
  const decision = JSON.stringify({ status: "decided", at: 0, attempts: 1, firstAt: 0, decision: { outbound: [] } })
  ensure(db, { name: consumer.name, source: consumer.subject })
  const cost = yield* measure(
    batch.length,
    Effect.sync(() => {
      for (;;) {
        const now = Date.now()
        const limits = { max: wide, now, ackWait: 30_000, maxDeliveries: 10_000, ownerId: "bench" }
        const { rows } = transaction(() => take(db, { ...consumer, ...limits }))
        if (rows.length === 0) return
        const write = (id: string, value: string, expected: number) =>
          StateOperations.operations.write(db, {
            bucket: "ledger",
            key: `bench.${id}`,
            value,
            expected,
            expiresAt: now + 1e9,
            now,
          }) ?? 0
        const revisions = transaction(() => rows.map(({ id }) => write(id, lease, 0)))
        transaction(() => rows.map(({ id }, at) => write(id, decision, revisions[at] ?? 0)))
        transaction(() => ack(db, { ...consumer, sequences: rows.map(({ seq }) => seq) }))
      }
    }),
  )
  bare.db.close()
  return cost
})

const onEngine = <A, E, R>(folder: string, effect: Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.flatMap(
      Layer.build(
        Layer.fresh(
          Ledger.layer.pipe(
            Layer.provideMerge(Layer.merge(EmbeddedBus.layer, EmbeddedState.layer)),
            Layer.provide(EmbeddedEngine.layerOwner({ folder })),
          ),
        ),
      ),
      (services) => Effect.provideContext(effect, services),
    ),
  )

const embeddedLoop = Effect.fnUntraced(function* (batch: ReadonlyArray<string>, wide: number) {
  yield* busPublish(batch)
  const done = yield* Deferred.make<void>()
  let left = batch.length
  const handle = () => {
    if (--left === 0) Deferred.doneUnsafe(done, Effect.void)
    return Effect.succeed([])
  }
  return yield* measure(
    batch.length,
    Effect.scoped(
      Effect.andThen(
        Worker.run("media", [on(type, { concurrency: wide, handle, onFailure: () => [] })]),
        Deferred.await(done),
      ),
    ),
  )
})

export const make = (events: number, wide: number) => {
  const costs = {
    sqlite: new Array<Cost>(),
    statements: new Array<Cost>(),
    publish: new Array<Cost>(),
    bareLoop: new Array<Cost>(),
    loop: new Array<Cost>(),
  }
  const fewer = Math.ceil(events / 2)
  return {
    round: Effect.fnUntraced(function* (folder: string) {
      costs.sqlite.push(yield* rawSqlite(folder, ids(events)))
      costs.statements.push(yield* bareStatements(folder, ids(events)))
      costs.publish.push(yield* onEngine(`${folder}/publish`, measure(events, busPublish(ids(events)))))
      costs.bareLoop.push(yield* bareLoop(folder, ids(fewer), wide))
      costs.loop.push(yield* onEngine(`${folder}/loop`, embeddedLoop(ids(fewer), wide)))
    }),
    rows: () => {
      const of = {
        sqlite: best(costs.sqlite),
        statements: best(costs.statements),
        publish: best(costs.publish),
        bareLoop: best(costs.bareLoop),
        loop: best(costs.loop),
      }
      return [
        row(`bare SQLite inserts, ${maxInFlight} a transaction`, of.sqlite),
        row(`the statements of a publish on bare SQLite, ${maxInFlight} a transaction`, of.statements),
        row(
          "embedded bus: durable publishes",
          of.publish,
          (of.publish.rate / of.sqlite.rate).toFixed(2),
          "≥ 0.7 of the inserts' rate",
        ),
        row(`the statements of the loop on bare SQLite, ${wide} a transaction`, of.bareLoop),
        row(
          `embedded worker loop with the ledger, ${wide} wide`,
          of.loop,
          (of.loop.rate / of.bareLoop.rate).toFixed(2),
          "≥ 0.4 of its rate",
        ),
      ]
    },
  }
}

if (import.meta.main)
  runBenchmark(
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const cases = make(Number(process.argv[3] ?? 20_000), 64)
      for (let round = 0; round < Number(process.argv[2] ?? 3); round++)
        yield* cases.round(yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-bench-" }))
      yield* Console.log(cases.rows().join("\n"))
    }),
  )
