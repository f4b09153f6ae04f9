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
 * An operator's pause holds calls back in the same way, until it is resumed.
 *
 * Only what tells of an outage counts: a `TransientError`, a time-out, a crash of the call. A dependency that throttles,
 * refuses for good or is wrongly configured does answer.
 */
import * as Backoff from "@armoricore/domain/Backoff"
import { TransientError } from "@armoricore/domain/Errors"
import { Cause, Clock, Context, Duration, Effect, Exit, Layer, Metric, Option, Schema, Scope, Stream } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { type CircuitState, CircuitRegistry } from "./CircuitRegistry.ts"

export interface CircuitOptions {
  /** Failures in a row that open a circuit. */
  readonly failureThreshold: number
  /** How long it is open at first; doubles up to `openAtMost`. */
  readonly openDuration: Duration.Duration
  readonly maxOpenDuration: Duration.Duration
}
export const CircuitOptions = Context.Reference<CircuitOptions>("@armoricore/worker/CircuitOptions", {
  defaultValue: () => ({
    failureThreshold: 5,
    openDuration: Duration.seconds(1),
    maxOpenDuration: Duration.seconds(30),
  }),
})

export class CircuitBreakers extends Context.Service<
  CircuitBreakers,
  {
    readonly withCircuitBreaker: (
      dependency: string,
    ) => <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, E | TransientError, R>
    /** Whether calls are let through, for those who show it. */
    readonly state: (dependency: string) => Effect.Effect<"closed" | "open" | "probing">
  }
>()("@armoricore/worker/CircuitBreakers") {
  static readonly layer = Layer.effect(
    CircuitBreakers,
    Effect.gen(function* () {
      const { maxOpenDuration, openDuration, failureThreshold } = yield* CircuitOptions
      const breaker = yield* CircuitBreaker.make({
        tripPolicy: CircuitBreaker.consecutive(failureThreshold),
        openDuration: Backoff.capped(openDuration, maxOpenDuration),
        maxOpenDuration: maxOpenDuration,
      })
      // Ends with the layer. It listens before the first call, or that call's transition would be missed.
      yield* Effect.forkScoped(Stream.runForEach(breaker.transitions, reportTransition), { startImmediately: true })
      const registry = yield* CircuitRegistry
      const scope = yield* Effect.scope
      /** Dependencies that were called, each with how often it was reset: a new key is a new circuit. */
      const resets = new Map<string, number>()
      const keyOf = (dependency: string) => `${dependency}${keySeparator}${resets.get(dependency) ?? 0}`
      const stateOf = (dependency: string) => Effect.orDie(breaker.state(keyOf(dependency)))

      const registerOnce = (dependency: string) =>
        Effect.suspend(() => {
          if (resets.has(dependency)) return Effect.void
          resets.set(dependency, 0)
          const reset = Effect.suspend(() => {
            resets.set(dependency, (resets.get(dependency) ?? 0) + 1)
            return Metric.update(Metric.withAttributes(circuitOpen, { dependency }), 0)
          })
          const state = Effect.flatMap(stateOf(dependency), toCircuitState)
          return Scope.provide(registry.register({ name: nameOf(dependency), state, reset }), scope)
        })

      return CircuitBreakers.of({
        withCircuitBreaker: (dependency) => (call) =>
          Effect.andThen(
            registerOnce(dependency),
            Effect.suspend(() =>
              registry.pauseOf(nameOf(dependency)) === undefined
                ? breaker
                    .execute(call, { key: keyOf(dependency), classify })
                    .pipe(
                      Effect.catchIf(isCircuitBreakerError, (refusal) =>
                        Effect.fail(circuitOpenError(dependency, refusal)),
                      ),
                    )
                : Effect.fail(pausedError(dependency)),
            ),
          ),
        state: (dependency) => Effect.map(stateOf(dependency), ({ _tag }) => statusOf[_tag]),
      })
    }),
  ).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))
}

/** Wraps a call to an outside dependency; see the module. */
export const withCircuitBreaker =
  (dependency: string) =>
  <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E | TransientError, R | CircuitBreakers> =>
    Effect.flatMap(CircuitBreakers, (breakers) => breakers.withCircuitBreaker(dependency)(call))

export const circuitOpen = Metric.gauge("armoricore_circuit_open", {
  description: "1 while a dependency is not called, 0.5 while one call probes it, by dependency",
})

const statusOf = { Closed: "closed", Open: "open", HalfOpen: "probing" } as const

/** No dependency's name has it. */
const keySeparator = "\n"

/** As an operator names it. */
const nameOf = (dependency: string): string => `dependency:${dependency}`

const toCircuitState = (state: CircuitBreaker.State): Effect.Effect<CircuitState> =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    status: statusOf[state._tag],
    failures: 0,
    ...(state._tag === "Open" ? { until: now + Duration.toMillis(state.retryAfter) } : {}),
  }))

const gaugeValue = { Closed: 0, HalfOpen: 0.5, Open: 1 } as const

const reportTransition = (transition: CircuitBreaker.Transition): Effect.Effect<void> => {
  const { key, to } = transition
  const [dependency = key] = key.split(keySeparator)
  const log =
    transition.to === "Open"
      ? Effect.logWarning(`${dependency} is not called for ${Duration.format(transition.retryAfter)}`, { dependency })
      : transition.to === "Closed"
        ? Effect.logInfo(`${dependency} works again`, { dependency })
        : Effect.void
  return Effect.andThen(Metric.update(Metric.withAttributes(circuitOpen, { dependency }), gaugeValue[to]), log)
}

const isTransient = Schema.is(TransientError)
const isCircuitBreakerError = (error: unknown): error is CircuitBreaker.CircuitBreakerError =>
  error instanceof CircuitBreaker.CircuitBreakerError

const classify = (exit: Exit.Exit<unknown, unknown>): CircuitBreaker.Outcome => {
  if (Exit.isSuccess(exit)) return CircuitBreaker.success
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (error === undefined) return CircuitBreaker.failure()
  if (!isTransient(error)) return CircuitBreaker.success
  if (error.countsAsAttempt === false) return CircuitBreaker.ignored
  return error.code === "throttled" ? CircuitBreaker.success : CircuitBreaker.failure()
}

/** While another call probes, its end is soon. */
const probeRetryMillis = 1_000

const circuitOpenError = (dependency: string, { reason }: CircuitBreaker.CircuitBreakerError): TransientError =>
  new TransientError({
    dependency,
    code: "circuit_open",
    message: `${dependency} failed several times in a row and is not called just now`,
    retryAfterMillis:
      reason._tag === "CircuitOpen" ? Math.max(1, Duration.toMillis(reason.retryAfter)) : probeRetryMillis,
    countsAsAttempt: false,
  })

/** How soon a paused dependency is asked for again. */
const pausedRetryMillis = 15_000

const pausedError = (dependency: string): TransientError =>
  new TransientError({
    dependency,
    code: "paused",
    message: `${dependency} is paused by an operator`,
    retryAfterMillis: pausedRetryMillis,
    countsAsAttempt: false,
  })
