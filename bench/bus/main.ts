/**
 * What the bus costs beside the bare clients, in one run against one nats-server and one disk, by turns:
 *
 * - publish: `EventBus.publish` against the raw client with one inbox for all acknowledgements;
 * - consume, handle nothing, acknowledge: the worker loop without a ledger against the raw client's `consume`;
 * - the worker loop with its ledger against a bare loop that creates keys in NATS KV;
 * - the embedded engine against bare SQLite; see `Embedded.ts`.
 *
 * CPU is this process's own (`process.cpuUsage`), its threads included. Usage: `npm run bench:bus [-- rounds [events]]`;
 * `node bench/bus/Embedded.ts [rounds [events]]` runs the cases of the embedded engine alone, and writes no results.
 */
import { EventBus } from "@armoricore/bus/EventBus"
import * as NatsBus from "@armoricore/bus/nats/NatsBus"
import { NatsConnection } from "@armoricore/nats/NatsConnection"
import { KeyValue } from "@armoricore/state/KeyValue"
import * as NatsState from "@armoricore/state/nats/NatsState"
import * as NatsServer from "@armoricore/testing/NatsServer"
import { Ledger, on, Worker } from "@armoricore/worker"
import { ledgerBucket } from "@armoricore/worker/ledger/Ledger"
import { runBenchmark } from "../cli.ts"
import { Console, Deferred, Effect, FileSystem, Layer } from "effect"
import { AckPolicy, createInbox, headers, StorageType } from "nats"
import * as Results from "../Results.ts"
import { bodyOf, best, busPublish, type Cost, ids, maxInFlight, measure, row, type } from "./Cases.ts"
import * as Embedded from "./Embedded.ts"

const rounds = Number(process.argv[2] ?? 3)
const events = Number(process.argv[3] ?? 20_000)
const kvConcurrency = 64

/** The raw client, as fast as it goes: one inbox, `wide` publishes under way. */
const rawPublish = Effect.fnUntraced(function* (batch: ReadonlyArray<string>) {
  const { client } = yield* (yield* NatsConnection).jetstream
  yield* Effect.callback<void>((resume) => {
    const inbox = createInbox()
    let next = 0
    let acknowledged = 0
    const send = () => {
      const id = batch[next++]
      if (id === undefined) return
      const marks = headers()
      marks.set("Nats-Msg-Id", id)
      client.publish(`armoricore.${type}`, bodyOf(id), { headers: marks, reply: `${inbox}.${next}` })
    }
    const subscription = client.subscribe(`${inbox}.*`, {
      callback: () => {
        acknowledged++
        send()
        if (acknowledged === batch.length) {
          subscription.unsubscribe()
          resume(Effect.void)
        }
      },
    })
    for (let started = 0; started < maxInFlight; started++) send()
  })
})

const rawConsume = Effect.fnUntraced(function* (count: number) {
  const { js, manager } = yield* (yield* NatsConnection).jetstream
  const name = `raw-${crypto.randomUUID()}`
  yield* Effect.promise(() =>
    manager.consumers.add("ARMORICORE", {
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
      filter_subject: `armoricore.${type}`,
    }),
  )
  const consumer = yield* Effect.promise(() => js.consumers.get("ARMORICORE", name))
  const cost = yield* measure(
    count,
    Effect.promise(async () => {
      const messages = await consumer.consume({ max_messages: maxInFlight })
      let left = count
      for await (const message of messages) {
        message.ack()
        if (--left === 0) messages.stop()
      }
    }),
  )
  yield* Effect.promise(() => manager.consumers.delete("ARMORICORE", name))
  return cost
})

/** A name of its own each round, so that each reads the stream from its beginning. */
const services = ["media", "notify", "ai", "realtime"] as const

const workerLoop = Effect.fnUntraced(function* (count: number, idempotent: boolean) {
  const { manager } = yield* (yield* NatsConnection).jetstream
  const service = services[idempotent ? 0 : 1] ?? "media"
  const name = `${service}-${type.replace(".", "-")}`
  yield* Effect.ignore(Effect.tryPromise(() => manager.consumers.delete("ARMORICORE", name)))
  const done = yield* Deferred.make<void>()
  let left = count
  const handle = () =>
    Effect.suspend(() => (--left === 0 ? Effect.as(Deferred.succeed(done, undefined), []) : Effect.succeed([])))
  return yield* measure(
    count,
    Effect.scoped(
      Effect.andThen(
        Worker.run(service, [
          on(type, { idempotent, concurrency: idempotent ? maxInFlight : kvConcurrency, handle, onFailure: () => [] }),
        ]),
        Deferred.await(done),
      ),
    ),
  )
})

const kvCreate = Effect.fnUntraced(function* (batch: ReadonlyArray<string>) {
  const { js } = yield* (yield* NatsConnection).jetstream
  const kv = yield* Effect.promise(() => js.views.kv(`bench_${batch.length}`, { storage: StorageType.File }))
  const value = JSON.stringify({ status: "claimed", owner: "bench", until: 0, attempts: 0, firstAt: 0 })
  return yield* measure(
    batch.length,
    Effect.forEach(batch, (id) => Effect.promise(() => kv.create(id, value)), {
      concurrency: kvConcurrency,
      discard: true,
    }),
  )
})

const bench = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  yield* (yield* EventBus).setup([])
  yield* (yield* KeyValue).setup([ledgerBucket])
  const costs = {
    rawPublish: new Array<Cost>(),
    publish: new Array<Cost>(),
    rawConsume: new Array<Cost>(),
    loop: new Array<Cost>(),
    kv: new Array<Cost>(),
    ledger: new Array<Cost>(),
  }
  const embedded = Embedded.make(events, kvConcurrency)
  const { manager } = yield* (yield* NatsConnection).jetstream
  const fewer = Math.ceil(events / 2)
  for (let round = 1; round <= rounds; round++) {
    yield* Effect.promise(() => manager.streams.purge("ARMORICORE"))
    costs.rawPublish.push(yield* measure(events, rawPublish(ids(events))))
    yield* Effect.promise(() => manager.streams.purge("ARMORICORE"))
    costs.publish.push(yield* measure(events, busPublish(ids(events))))
    costs.rawConsume.push(yield* rawConsume(events))
    costs.loop.push(yield* workerLoop(events, true))
    costs.kv.push(yield* kvCreate(ids(fewer)))
    costs.ledger.push(yield* workerLoop(fewer, false))
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-bench-" })
    yield* embedded.round(folder)
    yield* Console.log(`round ${round} of ${rounds} done`)
  }
  const of = {
    rawPublish: best(costs.rawPublish),
    publish: best(costs.publish),
    rawConsume: best(costs.rawConsume),
    loop: best(costs.loop),
    kv: best(costs.kv),
    ledger: best(costs.ledger),
  }
  const body = [
    `${events.toLocaleString("en")} events of ${bodyOf(crypto.randomUUID()).byteLength} bytes a round, file storage, best of ${rounds} rounds by turns. CPU is this process's alone, in µs an event.`,
    "",
    "| case | events/s | CPU µs | ratio | aim |",
    "|---|---|---|---|---|",
    row("raw client: publish, one inbox", of.rawPublish),
    row(
      "`EventBus.publish` on NATS",
      of.publish,
      (of.publish.rate / of.rawPublish.rate).toFixed(2),
      "≥ 0.7 of its rate",
    ),
    row("raw client: consume, ack", of.rawConsume),
    row(
      "worker loop, no ledger: decode, handle nothing, ack",
      of.loop,
      (of.loop.cpu / of.rawConsume.cpu).toFixed(2),
      "≤ 1.6 of its CPU",
    ),
    row(`raw client: KV create, ${kvConcurrency} wide`, of.kv),
    row(
      `worker loop with the ledger, ${kvConcurrency} wide`,
      of.ledger,
      (of.ledger.rate / of.kv.rate).toFixed(2),
      "≥ 0.4 of its rate",
    ),
    ...embedded.rows(),
  ].join("\n")
  yield* Console.log(body)
  yield* Results.writeSection("bus", "npm run bench:bus", body)
}).pipe(Effect.scoped)

const Nats = Layer.unwrap(
  Effect.map(NatsServer.NatsServer, ({ url }) =>
    Ledger.layer.pipe(
      Layer.provideMerge(NatsState.layer()),
      Layer.provideMerge(NatsBus.layerWithConnection({ servers: [url] })),
    ),
  ),
).pipe(Layer.provide(NatsServer.layer))

runBenchmark(Effect.provide(bench, Nats))
