/**
 * Circuit breakers for the outside dependencies of handlers: one circuit per dependency and process. This is the breaker
 * to use in a handler; the circuit of a notification provider (notify/src/provider) also follows Retry-After and limits
 * concurrency, and registers with the same `CircuitRegistry`. A handler wraps its call:
 *
 * ```ts
 * const text = yield* withCircuitBreaker("speech")(engine.transcribe(audio))
 * ```
 *
 * After `failureThreshold` failures in a row the circuit opens, and calls fail at once with the `TransientError`
 * `circuit_open`. The open time doubles with each failed probe, up to `maxOpenDuration`. The error has
 * `countsAsAttempt: false` and `retryAfterMillis`: the message returns to the bus and occupies no concurrency slot.
 * An operator's pause rejects calls in the same way until an operator resumes the circuit.
 *
 * Only signs of an outage count as failures: a `TransientError`, a timeout, a defect of the call. A dependency that
 * throttles, rejects permanently or is misconfigured is reachable.
 */
import * as Backoff from "@armoricore/domain/Backoff";
import { TransientError } from "@armoricore/domain/Errors";
import { Cause, Clock, Context, Duration, Effect, Exit, Layer, Metric, Option, Schema, Scope, Stream } from "effect";
import { CircuitBreaker } from "effect/persistence";
import { CircuitRegistry } from "./CircuitRegistry.ts";
export const CircuitOptions = Context.Reference("@armoricore/worker/CircuitOptions", {
    defaultValue: () => ({
        failureThreshold: 5,
        openDuration: Duration.seconds(1),
        maxOpenDuration: Duration.seconds(30),
    }),
});
export class CircuitBreakers extends Context.Service()("@armoricore/worker/CircuitBreakers") {
    static layer = Layer.effect(CircuitBreakers, Effect.gen(function* () {
        const { maxOpenDuration, openDuration, failureThreshold } = yield* CircuitOptions;
        const breaker = yield* CircuitBreaker.make({
            tripPolicy: CircuitBreaker.consecutive(failureThreshold),
            openDuration: Backoff.capped(openDuration, maxOpenDuration),
            maxOpenDuration: maxOpenDuration,
        });
        // Starts before the first call, so that its transition is reported.
        yield* Effect.forkScoped(Stream.runForEach(breaker.transitions, reportTransition), { startImmediately: true });
        const registry = yield* CircuitRegistry;
        const scope = yield* Effect.scope;
        /** The number of resets by dependency. A reset starts a new circuit, because the number is part of the key. */
        const resets = new Map();
        const keyOf = (dependency) => `${dependency}${keySeparator}${resets.get(dependency) ?? 0}`;
        const stateOf = (dependency) => Effect.orDie(breaker.state(keyOf(dependency)));
        const registerOnce = (dependency) => Effect.suspend(() => {
            if (resets.has(dependency))
                return Effect.void;
            resets.set(dependency, 0);
            const reset = Effect.suspend(() => {
                resets.set(dependency, (resets.get(dependency) ?? 0) + 1);
                return Metric.update(Metric.withAttributes(circuitOpen, { dependency }), 0);
            });
            const state = Effect.flatMap(stateOf(dependency), toCircuitState);
            return Scope.provide(registry.register({ name: nameOf(dependency), state, reset }), scope);
        });
        return CircuitBreakers.of({
            withCircuitBreaker: (dependency) => (call) => Effect.andThen(registerOnce(dependency), Effect.suspend(() => registry.pauseOf(nameOf(dependency)) === undefined
                ? breaker
                    .execute(call, { key: keyOf(dependency), classify })
                    .pipe(Effect.catchIf(isCircuitBreakerError, (rejection) => Effect.fail(circuitOpenError(dependency, rejection))))
                : Effect.fail(pausedError(dependency)))),
            state: (dependency) => Effect.map(stateOf(dependency), ({ _tag }) => statusOf[_tag]),
        });
    })).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()));
}
/** Wraps a call to an outside dependency. */
export const withCircuitBreaker = (dependency) => (call) => Effect.flatMap(CircuitBreakers, (breakers) => breakers.withCircuitBreaker(dependency)(call));
export const circuitOpen = Metric.gauge("armoricore_circuit_open", {
    description: "1 while the circuit of a dependency is open, 0.5 while a call probes it, by dependency",
});
const statusOf = { Closed: "closed", Open: "open", HalfOpen: "probing" };
/** Occurs in no name of a dependency. */
const keySeparator = "\n";
/** The name for operators. */
const nameOf = (dependency) => `dependency:${dependency}`;
const toCircuitState = (state) => Effect.map(Clock.currentTimeMillis, (now) => ({
    status: statusOf[state._tag],
    failures: 0,
    ...(state._tag === "Open" ? { until: now + Duration.toMillis(state.retryAfter) } : {}),
}));
const gaugeValue = { Closed: 0, HalfOpen: 0.5, Open: 1 };
const reportTransition = (transition) => {
    const { key, to } = transition;
    const [dependency = key] = key.split(keySeparator);
    const log = transition.to === "Open"
        ? Effect.logWarning(`The circuit of ${dependency} is open for ${Duration.format(transition.retryAfter)}`, {
            dependency,
        })
        : transition.to === "Closed"
            ? Effect.logInfo(`The circuit of ${dependency} is closed again`, { dependency })
            : Effect.void;
    return Effect.andThen(Metric.update(Metric.withAttributes(circuitOpen, { dependency }), gaugeValue[to]), log);
};
const isTransient = Schema.is(TransientError);
const isCircuitBreakerError = (error) => error instanceof CircuitBreaker.CircuitBreakerError;
const classify = (exit) => {
    if (Exit.isSuccess(exit))
        return CircuitBreaker.success;
    const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause));
    if (error === undefined)
        return CircuitBreaker.failure();
    if (!isTransient(error))
        return CircuitBreaker.success;
    if (error.countsAsAttempt === false)
        return CircuitBreaker.ignored;
    return error.code === "throttled" ? CircuitBreaker.success : CircuitBreaker.failure();
};
/** Retry delay while another call probes. */
const probeRetryMillis = 1_000;
const circuitOpenError = (dependency, { reason }) => new TransientError({
    dependency,
    code: "circuit_open",
    message: `the circuit of ${dependency} is open after several failures in a row`,
    retryAfterMillis: reason._tag === "CircuitOpen" ? Math.max(1, Duration.toMillis(reason.retryAfter)) : probeRetryMillis,
    countsAsAttempt: false,
});
/** Retry delay while an operator has paused the dependency. */
const pausedRetryMillis = 15_000;
const pausedError = (dependency) => new TransientError({
    dependency,
    code: "paused",
    message: `${dependency} is paused by an operator`,
    retryAfterMillis: pausedRetryMillis,
    countsAsAttempt: false,
});
