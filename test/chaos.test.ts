/** The short form of `npm run chaos`, with every mutant: what the check cannot catch, it does not prove. */
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { mutantPlans, short } from "../bench/chaos/Plans.ts"
import { verdict } from "../bench/chaos/Report.ts"
import { run } from "../bench/chaos/Run.ts"

const nats = Programs.need("nats-server")
const seed = Number(process.env["CHAOS_SEED"] ?? 20_261)

describe.skipIf(nats.missing)("under crashes of everything", () => {
  for (const plan of short(seed)) {
    it.live(
      `nothing is lost, done twice or told twice: ${plan.bus}`,
      () =>
        Effect.gen(function* () {
          const report = yield* run(plan)
          assert.deepStrictEqual(verdict(report), [], JSON.stringify(report))
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
        assert.deepStrictEqual(verdict(report), [], JSON.stringify(report))
        assert.deepStrictEqual([report.repeatedEffects, report.lateEffects], [0, 0])
      }).pipe(Effect.provide(Logger.layer([]))),
    120_000,
  )
  for (const plan of mutantPlans(seed)) {
    it.live(
      `a worker that does it wrong is caught: ${plan.mutant}`,
      () =>
        Effect.gen(function* () {
          const report = yield* run(plan)
          assert.isNotEmpty(verdict(report), JSON.stringify(report))
        }).pipe(Effect.provide(Logger.layer([]))),
      120_000,
    )
  }
})
