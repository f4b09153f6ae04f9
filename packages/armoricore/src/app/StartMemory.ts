/**
 * Returns the memory that only the start needed: most of the young generation, which grows while modules load and which V8
 * never shrinks by itself. V8 does so in a collection for low memory, which a program can ask for only through `gc`. It
 * takes some 100 ms, so it waits for a second in which the program had nothing to do.
 */
import { Duration, Effect } from "effect"
import { performance } from "node:perf_hooks"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

const settling = Duration.seconds(5)
const observed = Duration.seconds(1)
const maxUtilization = 0.1
/** A program that is never at rest fills the young generation again at once. */
const maxChecks = 60

const isAtRest = Effect.gen(function* () {
  const before = performance.eventLoopUtilization()
  yield* Effect.sleep(observed)
  return performance.eventLoopUtilization(before).utilization < maxUtilization
})

const collect = Effect.sync(() => {
  setFlagsFromString("--expose-gc")
  const gc: unknown = runInNewContext("gc")
  if (typeof gc === "function") gc({ type: "major", execution: "sync", flavor: "last-resort" })
  setFlagsFromString("--no-expose-gc")
})

/** Once, when the program is at rest. Ends with the scope. */
export const releaseOnce = Effect.gen(function* () {
  yield* Effect.sleep(settling)
  for (let checks = 0; checks < maxChecks; checks++) {
    if (yield* isAtRest) return yield* collect
    yield* Effect.sleep(settling)
  }
}).pipe(Effect.forkScoped, Effect.asVoid)
