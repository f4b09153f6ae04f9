/**
 * Circuit breakers for what a handler calls outside: one per dependency and process. A handler wraps its call:
 *
 * ```ts
 * const text = yield* Dependencies.guard("speech")(engine.transcribe(audio))
 * ```
 *
 * After `trip` failures in a row the circuit opens, and for a while that doubles with every failed probe nothing is
 * called. An open circuit is a `TransientError` `circuit_open` with `retryAfterMillis` and `waiting`: nothing was
 * tried, so the message goes back to the bus, holds no slot and uses up no try.
 *
 * Only what tells of an outage counts: a `TransientError`, a time-out, a crash of the call. A dependency that throttles,
 * refuses for good or is wrongly configured does answer.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Cause, Context, Duration, Effect, Exit, Layer, Metric, Option, Schedule, Schema, Stream } from "effect"
import { CircuitBreaker } from "effect/persistence"

export interface CircuitOptions {
  /** Failures in a row that open a circuit. */
  readonly trip: number
  /** How long it is open at first; doubles up to `openAtMost`. */
  readonly openFor: Duration.Duration
  readonly openAtMost: Duration.Duration
}
export const CircuitOptions = Context.Reference<CircuitOptions>("@armoricore/worker/CircuitOptions", {
  defaultValue: () => ({ trip: 5, openFor: Duration.seconds(1), openAtMost: Duration.seconds(30) }),
})

export class Dependencies extends Context.Service<
  Dependencies,
  {
    readonly guard: (
      dependency: string,
    ) => <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, E | TransientError, R>
    /** Whether calls are let through, for those who show it. */
    readonly state: (dependency: string) => Effect.Effect<"closed" | "open" | "probing">
  }
>()("@armoricore/worker/Dependencies") {
  static readonly layer = Layer.effect(
    Dependencies,
    Effect.gen(function* () {
      const { openAtMost, openFor, trip } = yield* CircuitOptions
      const breaker = yield* CircuitBreaker.make({
        tripPolicy: CircuitBreaker.consecutive(trip),
        openDuration: Schedule.min([Schedule.exponential(openFor), Schedule.spaced(openAtMost)]),
        maxOpenDuration: openAtMost,
      })
      // Ends with the layer. It listens before the first call, or that call's transition would be missed.
      yield* Effect.forkScoped(Stream.runForEach(breaker.transitions, tell), { startImmediately: true })

      return Dependencies.of({
        guard: (dependency) => (call) =>
          breaker
            .execute(call, { key: dependency, classify })
            .pipe(Effect.catchIf(isRefusal, (refusal) => Effect.fail(closed(dependency, refusal)))),
        state: (dependency) =>
          Effect.map(Effect.orDie(breaker.state(dependency)), ({ _tag }) =>
            _tag === "Closed" ? "closed" : _tag === "Open" ? "open" : "probing",
          ),
      })
    }),
  ).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))
}

/** Wraps a call to an outside dependency; see the module. */
export const guard =
  (dependency: string) =>
  <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E | TransientError, R | Dependencies> =>
    Effect.flatMap(Dependencies, (dependencies) => dependencies.guard(dependency)(call))

export const openCircuit = Metric.gauge("armoricore_circuit_open", {
  description: "1 while a dependency is not called, 0.5 while one call probes it, by dependency",
})

const level = { Closed: 0, HalfOpen: 0.5, Open: 1 } as const

const tell = (transition: CircuitBreaker.Transition): Effect.Effect<void> => {
  const { key: dependency, to } = transition
  const log =
    transition.to === "Open"
      ? Effect.logWarning(`${dependency} is not called for ${Duration.format(transition.retryAfter)}`, { dependency })
      : transition.to === "Closed"
        ? Effect.logInfo(`${dependency} works again`, { dependency })
        : Effect.void
  return Effect.andThen(Metric.update(Metric.withAttributes(openCircuit, { dependency }), level[to]), log)
}

const isTransient = Schema.is(TransientError)
const isRefusal = (error: unknown): error is CircuitBreaker.CircuitBreakerError =>
  error instanceof CircuitBreaker.CircuitBreakerError

const classify = (exit: Exit.Exit<unknown, unknown>): CircuitBreaker.Outcome => {
  if (Exit.isSuccess(exit)) return CircuitBreaker.success
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (error === undefined) return CircuitBreaker.failure()
  if (!isTransient(error)) return CircuitBreaker.success
  if (error.waiting === true) return CircuitBreaker.ignored
  return error.code === "throttled" ? CircuitBreaker.success : CircuitBreaker.failure()
}

/** While another call probes, its end is soon. */
const probeMillis = 1_000

const closed = (dependency: string, { reason }: CircuitBreaker.CircuitBreakerError): TransientError =>
  new TransientError({
    dependency,
    code: "circuit_open",
    message: `${dependency} failed several times in a row and is not called just now`,
    retryAfterMillis: reason._tag === "CircuitOpen" ? Math.max(1, Duration.toMillis(reason.retryAfter)) : probeMillis,
    waiting: true,
  })
