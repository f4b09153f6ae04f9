/**
 * `npm run chaos`: the short form. `npm run chaos -- --long [--seed N] [--rounds N]`: more faults, and both buses.
 *
 * A run is sound when nothing acknowledged is lost, nothing unexpected is done, no effect follows its own result and
 * each event has one result id; every mutant must be caught, or the check proves nothing.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Logger } from "effect"
import { long, mutantPlans, short } from "./Plans.ts"
import { verdict } from "./Report.ts"
import { run } from "./Run.ts"

const flag = (name: string): string | undefined => {
  const at = process.argv.indexOf(`--${name}`)
  return at === -1 ? undefined : (process.argv[at + 1] ?? "")
}
const seed = Number(flag("seed") ?? Date.now() % 1_000_000)

const chaos = Effect.gen(function* () {
  let wrong = 0
  const plans = process.argv.includes("--long") ? long(seed, Number(flag("rounds") ?? 5)) : short(seed)
  for (const plan of plans) {
    const report = yield* run(plan)
    const found = verdict(report)
    wrong += found.length
    yield* Console.log(`${plan.bus}, seed ${plan.seed}: ${found.length === 0 ? "sound" : found.join(", ")}`)
    yield* Console.log(`  ${JSON.stringify(report)}`)
  }
  for (const plan of mutantPlans(seed)) {
    const found = verdict(yield* run(plan))
    if (found.length === 0) wrong++
    yield* Console.log(`mutant ${plan.mutant}: ${found.length === 0 ? "NOT CAUGHT" : `caught, ${found.join(", ")}`}`)
  }
  yield* Console.log("left out: a full disk (needs the right to mount a small file system)")
  if (wrong > 0) return yield* Effect.fail(new Error(`${wrong} findings; the same faults again with --seed ${seed}`))
})

chaos.pipe(Effect.provide(Logger.layer([])), NodeRuntime.runMain)
