/** The delay before the next attempt: exponential with jitter, capped, and never shorter than a provider's Retry-After. */
import { Context, Duration, Effect, Random } from "effect";
/** `RETRY_MAX_ATTEMPTS`, `RETRY_BASE`, `RETRY_CAP`. */
export const RetryPolicy = Context.Reference("@armoricore/worker/RetryPolicy", {
    defaultValue: () => ({ maxAttempts: 5, base: Duration.seconds(1), cap: Duration.seconds(60) }),
});
/** Overrides of {@link RetryPolicy}, by service name. */
export const RetryPolicies = Context.Reference("@armoricore/worker/RetryPolicies", { defaultValue: () => new Map() });
/** The policy of a service, with its overrides. */
export const retryPolicyOf = (service) => Effect.gen(function* () {
    return { ...(yield* RetryPolicy), ...(yield* RetryPolicies).get(service) };
});
/**
 * The delay after the `failures`-th failed attempt (1 for the first): uniform between half and the whole of
 * `min(cap, base × 2^(failures−1))`, and at least `retryAfterMillis`.
 */
export const retryDelay = (policy, failures, retryAfterMillis) => Effect.map(Random.next, (random) => {
    const ceiling = Math.min(Duration.toMillis(policy.cap), Duration.toMillis(policy.base) * 2 ** (failures - 1));
    return Duration.millis(Math.max(retryAfterMillis ?? 0, Math.round(ceiling * (0.5 + random / 2))));
});
