/** When a failed message is tried again: exponential with full jitter, capped, never earlier than a provider asked for. */
import { Context, Duration, Effect, Random } from "effect"

export interface RetryPolicy {
  /** Tries in all, the first included. */
  readonly maxAttempts: number
  readonly base: Duration.Duration
  readonly cap: Duration.Duration
}

/** `RETRY_MAX_ATTEMPTS`, `RETRY_BASE`, `RETRY_CAP`. */
export const RetryPolicy = Context.Reference<RetryPolicy>("@armoricore/worker/RetryPolicy", {
  defaultValue: () => ({ maxAttempts: 5, base: Duration.seconds(1), cap: Duration.seconds(60) }),
})

/** Services whose policy differs from {@link RetryPolicy}, by name. */
export const RetryPolicies = Context.Reference<ReadonlyMap<string, Partial<RetryPolicy>>>(
  "@armoricore/worker/RetryPolicies",
  { defaultValue: () => new Map() },
)

/** What holds for a service. */
export const retryPolicyOf = (service: string): Effect.Effect<RetryPolicy> =>
  Effect.gen(function* () {
    return { ...(yield* RetryPolicy), ...(yield* RetryPolicies).get(service) }
  })

/**
 * The wait after the `failures`-th failed try (1 for the first): uniform between half and the whole of
 * `min(cap, base × 2^(failures−1))`, and at least `retryAfterMillis`.
 */
export const retryDelay = (
  policy: RetryPolicy,
  failures: number,
  retryAfterMillis: number | undefined,
): Effect.Effect<Duration.Duration> =>
  Effect.map(Random.next, (random) => {
    const ceiling = Math.min(Duration.toMillis(policy.cap), Duration.toMillis(policy.base) * 2 ** (failures - 1))
    return Duration.millis(Math.max(retryAfterMillis ?? 0, Math.round(ceiling * (0.5 + random / 2))))
  })
