/** The short form of `npm run chaos`, with every mutant: what the check cannot catch, it does not prove. */
import { KeyValue } from "@armoricore/state/KeyValue"
import * as Programs from "@armoricore/testing/Programs"
import { ledgerBucket } from "@armoricore/worker/ledger/Ledger"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Logger } from "effect"
import * as Broker from "../chaos/Broker.ts"
import * as ManagedProcess from "../chaos/ManagedProcess.ts"
import { lease } from "../chaos/FaultInjection.ts"
import { mutantPlans, shortPlans } from "../chaos/ChaosPlans.ts"
import { violations } from "../chaos/Report.ts"
import { run } from "../chaos/ChaosRun.ts"
import { adaptersFor } from "../chaos/Adapters.ts"
import type { SinkState } from "../chaos/sink.ts"

/** Waits for what has no event of its own. */
const waitUntil = (condition: () => boolean) =>
  Effect.sync(condition).pipe(
    Effect.tap((met) => (met ? Effect.void : Effect.sleep("5 millis"))),
    Effect.repeat({ until: (met) => met }),
    Effect.timeout("20 seconds"),
  )

const nats = Programs.requireProgram("nats-server")
const seed = Number(process.env["CHAOS_SEED"] ?? 20_261)

describe.skipIf(nats.missing)("under crashes of everything", () => {
  for (const plan of shortPlans(seed)) {
    it.live(
      `loses nothing and has no effect or result twice: ${plan.bus}`,
      () =>
        Effect.gen(function* () {
          const report = yield* run(plan)
          assert.deepStrictEqual(violations(report), [], JSON.stringify(report))
          assert.strictEqual(report.acknowledged, plan.publishers * plan.events)
        }).pipe(Effect.provide(Logger.layer([]))),
      180_000,
    )
  }
  it.live(
    "three processes share the work: undisturbed, each event is handled once",
    () =>
      Effect.gen(function* () {
        const calm = { seed, bus: "nats", workers: 3, publishers: 1, events: 60, faults: 0, crash: 0 } as const
        const report = yield* run(calm)
        assert.deepStrictEqual(violations(report), [], JSON.stringify(report))
        assert.deepStrictEqual([report.repeatedEffects, report.fencedEffects], [0, 0])
      }).pipe(Effect.provide(Logger.layer([]))),
    120_000,
  )
  it.live(
    "three processes share the work; what a killed one had in hand comes back within the lease, once each",
    () =>
      Effect.gen(function* () {
        const broker = yield* Broker.make("nats", false)
        yield* Effect.flatMap(KeyValue, (state) => state.setup([ledgerBucket])).pipe(
          Effect.provide(adaptersFor(broker.direct, broker.folder, broker.replicas)),
        )
        const sink = yield* ManagedProcess.start("sink.ts", {})
        const environment = {
          CHAOS_NATS: broker.direct,
          CHAOS_SINK: yield* sink.waitForLine("http"),
          CHAOS_WORK_MILLIS: "1000",
        }
        const workers = yield* Effect.forEach([1, 2, 3], () => ManagedProcess.start("worker.ts", environment))
        yield* Effect.forEach(workers, (worker) => worker.waitForLine("ready"), { concurrency: "unbounded" })
        yield* ManagedProcess.start("publisher.ts", { ...environment, CHAOS_NAME: "p", CHAOS_EVENTS: "24" })
        const taken = (worker: ManagedProcess.ManagedProcess) => worker.lines.filter((line) => line.startsWith("got "))
        const [victim, ...others] = workers
        assert.isDefined(victim)
        yield* waitUntil(() => workers.every((worker) => taken(worker).length >= 4))
        yield* victim.signal("SIGKILL")
        yield* victim.exited
        const killedAt = Date.now()
        const orphans = taken(victim).map((line) => line.slice("got ".length))

        const { effects } = yield* Effect.tryPromise(() =>
          fetch(environment.CHAOS_SINK).then((answer) => answer.json() as Promise<SinkState>),
        ).pipe(
          Effect.tap((seen) => (seen.effects.length < 24 ? Effect.sleep("50 millis") : Effect.void)),
          Effect.repeat({ until: (seen) => seen.effects.length >= 24 }),
          Effect.timeout("30 seconds"),
        )
        assert.strictEqual(new Set(effects.map(({ id }) => id)).size, 24)
        assert.strictEqual(effects.length, 24)
        for (const { at, id } of effects.filter(({ id }) => orphans.includes(id))) {
          // The bus waits for a lease, the claim may be a renewal younger, the work takes a second.
          assert.isBelow(at - killedAt, 2 * Duration.toMillis(lease) + 1_000 + 2_000, id)
        }
        assert.isTrue(others.every((worker) => taken(worker).length > 4))
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([]))),
    60_000,
  )
  for (const plan of mutantPlans(seed)) {
    it.live(
      `a worker that does it wrong is caught: ${plan.mutant}`,
      () =>
        Effect.gen(function* () {
          const report = yield* run(plan)
          assert.isNotEmpty(violations(report), JSON.stringify(report))
        }).pipe(Effect.provide(Logger.layer([]))),
      120_000,
    )
  }
})
