/** One chaos run: processes up, faults by the plan, then everything healed, drained and counted. */
import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { layer as connection, NatsConnection } from "@armoricore/bus/nats/NatsConnection"
import { KeyValue } from "@armoricore/state/KeyValue"
import * as NatsServer from "@armoricore/testing/NatsServer"
import { DeadLetters, Ledger } from "@armoricore/worker"
import { ledgerBucket } from "@armoricore/worker/Ledger"
import { Effect, Layer, Random, Schedule, Semaphore } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Child from "./Child.ts"
import { type CrashPoint, lease, type Mutant } from "./Faults.ts"
import { type Fault, torment } from "./Nemesis.ts"
import { portsOf } from "./Ports.ts"
import * as Proxy from "./Proxy.ts"
import { judge, type Report } from "./Report.ts"
import type { Seen } from "./sink.ts"

export interface Plan {
  readonly seed: number
  readonly bus: "nats" | "embedded"
  readonly workers: number
  readonly publishers: number
  /** A publisher. */
  readonly events: number
  readonly faults: number
  /** Of dying at a crash point, each time one is passed. */
  readonly crash: number
  readonly crashAt?: CrashPoint
  readonly mutant?: Mutant
}

const slots = 4
/** As the workers have it, or each would change the other's consumer. */
const asWorkers = { ackWait: lease, exhausted: () => Effect.die("not within a run") } as const
/** Whoever only asks for the depth takes nothing. */
const closedGate = Semaphore.makeUnsafe(0)
const consumer = { name: "media-media-uploaded", from: event("media.uploaded") }

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "armoricore-chaos-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 })),
)

export const run = Effect.fn("chaos")(function* (plan: Plan) {
  const data = yield* folder
  const server = plan.bus === "nats" ? yield* NatsServer.make() : undefined
  const proxy = server === undefined ? undefined : yield* Proxy.make(server.port)
  // The harness goes straight to the broker, workers go through the proxy.
  const ports = portsOf(server?.url, data, 1)
  return yield* observe(plan, data, server, proxy).pipe(
    Effect.provide(DeadLetters.layer.pipe(Layer.provide(Ledger.layer), Layer.provideMerge(ports))),
  )
}, Effect.scoped)

const observe = Effect.fnUntraced(function* (
  plan: Plan,
  data: string,
  server: NatsServer.NatsServer["Service"] | undefined,
  proxy: Proxy.Proxy | undefined,
) {
  const bus = yield* EventBus
  yield* bus.setup([consumer, { name: "checker", from: event("media.playable") }])
  yield* (yield* KeyValue).setup([ledgerBucket])
  const results = new Map<string, { firstAt: number; ids: Set<string> }>()
  yield* bus.consume({ name: "checker", from: event("media.playable"), concurrency: 64 }, ({ arrivedAt, body }) =>
    Effect.sync(() => {
      // Published by the workers of this run.
      const told = JSON.parse(new TextDecoder().decode(body)) as { event_id: string; payload: { media_id: string } }
      const known = results.get(told.payload.media_id) ?? { firstAt: arrivedAt, ids: new Set<string>() }
      known.ids.add(told.event_id)
      results.set(told.payload.media_id, { firstAt: Math.min(known.firstAt, arrivedAt), ids: known.ids })
      return { _tag: "Ack" } as const
    }),
  )
  const sink = yield* Child.start("sink.ts", {})
  const sinkUrl = yield* sink.says("http")
  const environment = {
    CHAOS_FOLDER: data,
    CHAOS_SINK: sinkUrl,
    ...(plan.mutant === undefined ? {} : { CHAOS_MUTANT: plan.mutant }),
  }
  const via = (port: number | undefined) => (port === undefined ? {} : { CHAOS_NATS: `nats://127.0.0.1:${port}` })

  // Whoever dies is started again, as a supervisor would; until the end without crash points.
  let chance = plan.crash
  const workers: Array<Child.Child> = []
  const supervise = (index: number) =>
    Effect.gen(function* () {
      for (;;) {
        const worker = yield* Child.start("worker.ts", {
          ...environment,
          ...via(proxy?.port),
          CHAOS_CRASH: String(chance),
          CHAOS_CRASH_AT: plan.crashAt ?? "",
        })
        workers[index] = worker
        yield* worker.ended
      }
    }).pipe(Effect.scoped)
  for (let index = 0; index < plan.workers; index++) yield* Effect.forkScoped(supervise(index))
  const publishers = yield* Effect.forEach(Array.from({ length: plan.publishers }), (_, index) =>
    Child.start("publisher.ts", {
      ...environment,
      ...via(server?.port),
      CHAOS_NAME: `p${index}`,
      CHAOS_EVENTS: String(plan.events),
    }),
  )

  // The server counts a message until it has worked off its acknowledgement, when the next one is out already.
  const allowed = plan.workers * slots * 1.5
  let prefetched = 0
  const depth = yield* bus
    .consume({ ...consumer, ...asWorkers, concurrency: 1, gate: closedGate }, () => Effect.never)
    .pipe(Effect.map((own) => own.depth))
  if (plan.faults === 0 && plan.crash === 0) {
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.tap(depth, ({ inFlight }) =>
          Effect.sync(() => void (prefetched = Math.max(prefetched, inFlight - allowed))),
        ).pipe(Effect.ignore, Effect.andThen(Effect.sleep("20 millis"))),
      ),
    )
  }
  const faults = yield* torment(faultsOf(workers, server, proxy), plan.faults).pipe(Random.withSeed(plan.seed))

  yield* Effect.forEach(publishers, (publisher) => publisher.says("done"), { discard: true }).pipe(
    Effect.timeout("90 seconds"),
  )
  // Crash points are passed while there is work: most of it is done before the healing begins.
  const most = plan.publishers * plan.events * 0.8
  yield* Effect.repeat(
    Effect.sync(() => results.size >= most),
    { until: (enough) => enough, schedule: Schedule.spaced("50 millis") },
  ).pipe(Effect.timeoutOption("20 seconds"))
  chance = 0
  // Crash points are in the workers' environment: healed workers are new ones.
  if (plan.crash > 0) yield* Effect.forEach([...workers], (worker) => worker.signal("SIGKILL"), { discard: true })

  const told = (word: string) =>
    new Set(
      publishers.flatMap(({ lines }) =>
        lines.filter((line) => line.startsWith(word)).map((line) => line.slice(word.length)),
      ),
    )
  const acknowledged = told("ok ")
  const sent = told("sent ")
  const look = Effect.tryPromise(() => fetch(sinkUrl).then((answer) => answer.json() as Promise<Seen>))
  const drained = Effect.gen(function* () {
    const seen = yield* look
    const recorded = new Set(seen.effects.map(({ id }) => id))
    const { inFlight, waiting } = yield* depth
    return [...acknowledged].every((id) => recorded.has(id) && results.has(id)) && waiting === 0 && inFlight === 0
  })
  // A mutant that loses events never gets there: what is missing then is the finding.
  yield* drained.pipe(
    Effect.retry(Schedule.spaced("200 millis")),
    Effect.repeat({ until: (done) => done, schedule: Schedule.spaced("200 millis") }),
    Effect.timeoutOption(plan.mutant === undefined ? "60 seconds" : "8 seconds"),
  )
  const letters = yield* (yield* DeadLetters).list({ limit: 1_000 })
  const report: Report = {
    seed: plan.seed,
    ...judge({ acknowledged, sent, results, seen: yield* look }),
    prefetched,
    deadLetters: letters.length,
    faults,
  }
  return report
})

const faultsOf = (
  workers: ReadonlyArray<Child.Child>,
  server: NatsServer.NatsServer["Service"] | undefined,
  proxy: Proxy.Proxy | undefined,
): ReadonlyArray<Fault> => {
  const someone = Effect.map(Random.nextIntBetween(0, workers.length, { halfOpen: true }), (index) => workers[index])
  const signal = (name: NodeJS.Signals) => Effect.flatMap(someone, (worker) => worker?.signal(name) ?? Effect.void)
  const pause = Effect.gen(function* () {
    const worker = yield* someone
    if (worker === undefined) return
    yield* worker.signal("SIGSTOP")
    // Longer than the lease: its work is somebody else's when it wakes up.
    yield* Effect.sleep("3 seconds")
    yield* worker.signal("SIGCONT")
  })
  const own: ReadonlyArray<Fault> = [
    { name: "kill -9 a worker", run: signal("SIGKILL") },
    { name: "SIGTERM a worker", run: signal("SIGTERM") },
    { name: "stop a worker for 3 s", run: pause },
  ]
  if (server === undefined || proxy === undefined) return own
  return [
    ...own,
    {
      name: "kill -9 the broker",
      run: server.kill.pipe(Effect.andThen(Effect.sleep("1 second")), Effect.andThen(server.restart)),
    },
    { name: "break every connection", run: proxy.cut },
    {
      name: "swallow everything for 3 s",
      run: proxy.blackhole.pipe(Effect.andThen(Effect.sleep("3 seconds")), Effect.andThen(proxy.heal)),
    },
    { name: "fill the stream for 2 s", run: full(server.url) },
  ]
}

/** The stream refuses everything for a while: its limit is what it holds. */
const full = (url: string) =>
  Effect.gen(function* () {
    const { manager } = yield* (yield* NatsConnection).jetstream
    const { config, state } = yield* Effect.promise(() => manager.streams.info("ARMORICORE"))
    yield* Effect.promise(() =>
      manager.streams.update("ARMORICORE", { ...config, max_bytes: Math.max(1, state.bytes) }),
    )
    yield* Effect.sleep("2 seconds")
    yield* Effect.promise(() => manager.streams.update("ARMORICORE", config))
  }).pipe(
    Effect.provide(connection({ servers: [url] })),
    // The broker may just be away; then it was not full.
    Effect.ignoreCause,
  )
