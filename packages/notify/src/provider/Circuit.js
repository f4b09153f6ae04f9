/**
 * The state of one circuit breaker, with a pause for a misconfigured provider:
 *
 *     closed ──`failureThreshold` outages in a row──▶ open ──openMillis over──▶ half-open ──success──▶ closed
 *                                                      ▲ twice as long            │ outage
 *                                                      └──────────────────────────┘
 *     closed ──configuration error, run of refusals──▶ paused ──misconfigurationDelay over──▶ half-open
 *
 * A closed circuit lets calls pass. A half-open one lets one call pass at a time.
 *
 * Handlers of the worker package use effect's `CircuitBreaker`. Providers have this one, because a push batch starts
 * calls synchronously and needs what that module lacks: a pause after one configuration error beside the threshold for
 * outages, timeouts by interruption that count as failures (effect's ignores interruption), and the number of failures
 * for operators. Two nested breakers of effect would do the first, for 15 µs CPU per call where a whole push may use
 * 66 µs at 15,000 a second; `admit` and `recordSuccess` are plain comparisons. effect's `RateLimiter` reserves a turn
 * however long the wait is; here a call that would wait over a second gives its slot back instead.
 */
import { Duration } from "effect";
import * as RefusalRun from "./RefusalRun.ts";
const admitted = { _tag: "Admitted", isHalfOpen: false };
const admittedHalfOpen = { _tag: "Admitted", isHalfOpen: true };
/** When to check again while another message is the half-open call. */
const halfOpenRecheckMillis = 1_000;
export const make = (key) => ({
    key,
    failures: 0,
    openUntil: 0,
    openMillis: 0,
    pausedUntil: 0,
    halfOpenCallRunning: false,
    refusals: RefusalRun.make(),
});
/** The caller of a half-open admission must clear `halfOpenCallRunning` when its call ends, in any way. */
export const admit = (circuit, now) => {
    const { openMillis, openUntil, pausedUntil } = circuit;
    if (openMillis === 0 && pausedUntil === 0)
        return admitted;
    if (pausedUntil > now)
        return { _tag: "Rejected", reason: "provider_paused", waitMillis: pausedUntil - now };
    const reason = openMillis > 0 ? "circuit_open" : "provider_paused";
    if (openUntil > now)
        return { _tag: "Rejected", reason, waitMillis: openUntil - now };
    if (circuit.halfOpenCallRunning)
        return { _tag: "Rejected", reason, waitMillis: halfOpenRecheckMillis };
    circuit.halfOpenCallRunning = true;
    return admittedHalfOpen;
};
/** The remaining time of an open or paused circuit, without admitting a call. */
export const rejection = ({ openUntil, pausedUntil }, now) => {
    const waitMillis = Math.max(pausedUntil, openUntil) - now;
    return waitMillis > 0 ? { reason: pausedUntil > now ? "provider_paused" : "circuit_open", waitMillis } : undefined;
};
/** The provider responded. Returns whether this closed the circuit. */
export const recordSuccess = (circuit) => {
    circuit.failures = 0;
    if (circuit.openMillis === 0 && circuit.pausedUntil === 0)
        return false;
    circuit.openMillis = 0;
    circuit.openUntil = 0;
    circuit.pausedUntil = 0;
    return true;
};
/** Returns whether this opened the circuit. Calls that were running when it opened do not extend the time. */
export const recordOutage = (circuit, isHalfOpen, now, options) => {
    circuit.failures++;
    if (!isHalfOpen && (circuit.openMillis > 0 || circuit.failures < options.failureThreshold))
        return false;
    circuit.openMillis =
        circuit.openMillis === 0
            ? Duration.toMillis(options.initialOpenDuration)
            : Math.min(Duration.toMillis(options.maxOpenDuration), circuit.openMillis * 2);
    circuit.openUntil = now + circuit.openMillis;
    return true;
};
export const pause = (circuit, now, options) => {
    circuit.pausedUntil = now + Duration.toMillis(options.misconfigurationDelay);
};
export const reset = (circuit) => {
    Object.assign(circuit, { failures: 0, openUntil: 0, openMillis: 0, pausedUntil: 0 });
    RefusalRun.clear(circuit.refusals);
};
