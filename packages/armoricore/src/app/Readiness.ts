/**
 * Whether this process should get traffic. Each part that can fail gives a check; a part that workers cannot do without
 * makes the process not ready, one that realtime can serve without makes it degraded.
 */
import { Clock, Context, Effect, Layer, Ref } from "effect"

export interface ReadinessCheck {
  readonly name: string
  /** Whether the process can go on serving without it, for a while. */
  readonly required: boolean
  /** Fails with a sentence that says what is wrong. */
  readonly run: Effect.Effect<void, string>
}

export interface ReadinessReport {
  readonly ready: boolean
  readonly degraded: boolean
  /** One sentence each, where something is wrong. */
  readonly reasons: ReadonlyArray<string>
}

type LifecyclePhase = "starting" | "serving" | "draining"

export class Readiness extends Context.Service<
  Readiness,
  {
    readonly report: Effect.Effect<ReadinessReport>
    /** `draining` is for ever. */
    readonly setPhase: (phase: LifecyclePhase) => Effect.Effect<void>
  }
>()("@armoricore/armoricore/Readiness") {
  static readonly layer = <R>(makeChecks: Effect.Effect<ReadonlyArray<ReadinessCheck>, never, R>) =>
    Layer.effect(
      Readiness,
      Effect.gen(function* () {
        const checks = yield* makeChecks
        const phase = yield* Ref.make<LifecyclePhase>("starting")
        const last = yield* Ref.make<{ readonly at: number; readonly report: ReadinessReport } | undefined>(undefined)
        return Readiness.of({
          setPhase: (next) => Ref.update(phase, (current) => (current === "draining" ? current : next)),
          report: Effect.gen(function* () {
            const now = yield* Ref.get(phase)
            if (now !== "serving") {
              const reasons = [now === "starting" ? "the program is starting" : "the program is stopping"]
              return { ready: false, degraded: false, reasons }
            }
            // Probes may come from many sides at once: the answer of the last second is good enough.
            const time = yield* Clock.currentTimeMillis
            const kept = yield* Ref.get(last)
            if (kept !== undefined && time - kept.at < reportCacheMillis) return kept.report
            const report = yield* runChecks(checks)
            yield* Ref.set(last, { at: time, report })
            return report
          }),
        })
      }),
    )
}

const reportCacheMillis = 1000

const runChecks = (checks: ReadonlyArray<ReadinessCheck>): Effect.Effect<ReadinessReport> =>
  Effect.forEach(
    checks,
    (check) =>
      check.run.pipe(
        Effect.timeoutOrElse({ duration: "2 seconds", orElse: () => Effect.fail("does not answer within 2 s") }),
        Effect.match({
          onFailure: (reason) => ({ needed: check.required, reason: `${check.name}: ${reason}` }),
          onSuccess: () => undefined,
        }),
      ),
    { concurrency: "unbounded" },
  ).pipe(
    Effect.map((results) => {
      const faults = results.filter((result) => result !== undefined)
      const ready = !faults.some(({ needed }) => needed)
      return { ready, degraded: ready && faults.length > 0, reasons: faults.map(({ reason }) => reason) }
    }),
  )
