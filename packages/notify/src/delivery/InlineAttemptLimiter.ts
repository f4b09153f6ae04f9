/**
 * Limits the concurrent first attempts of one channel that run without a work message. The limit grows with the latency
 * that the provider shows: a provider that answers after 80 ms serves as many attempts a second as one that answers after
 * 20 ms if four times as many run. At the limit, an attempt waits for a slot if its turn comes soon, because a work
 * message would cost more than the call. Behind a provider so slow that it does not, the attempt is rejected and needs a
 * work message, so that the provider does not delay requests of other channels.
 */
import { Effect } from "effect"

export interface InlineAttemptLimiter {
  /** Runs the work, or returns `undefined` without running it if no slot is free soon. */
  readonly run: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A | undefined, E, R>
  /** {@link run} without an effect: acquires a slot if one is free. `release` ends it. */
  readonly tryAcquire: () => boolean
  /**
   * Calls `then` with a slot that is acquired, once one is free. The returned function cancels that. `undefined`: no slot is
   * free within `maxWaitMillis`.
   */
  readonly wait: (then: () => void, maxWaitMillis: number) => (() => void) | undefined
  readonly release: (heldMillis: number) => void
  /** How many attempts may run now. */
  readonly limit: () => number
}

export interface Options {
  /** The limit while the provider answers within {@link referenceMillis}. */
  readonly minConcurrent: number
  readonly maxConcurrent: number
  /** An attempt waits for a slot only if it can be expected within this time. */
  readonly maxWaitMillis: number
}

/** The limit stays at its minimum up to this mean duration, and is proportional to the duration above it. */
export const referenceMillis = 20
/** The weight of the latest attempt in the moving average. */
const meanWeight = 0.1

export const make = ({ maxConcurrent, maxWaitMillis, minConcurrent }: Options): InlineAttemptLimiter => {
  const waiting = new Set<() => void>()
  let running = 0
  let meanMillis = 0
  let limit = Math.min(minConcurrent, maxConcurrent)

  const observe = (millis: number) => {
    meanMillis += (millis - meanMillis) * meanWeight
    limit = Math.min(maxConcurrent, Math.max(minConcurrent, Math.ceil((minConcurrent * meanMillis) / referenceMillis)))
  }

  const tryAcquire = (): boolean => {
    if (running >= limit) return false
    running++
    return true
  }

  const wait: InlineAttemptLimiter["wait"] = (then, maxMillis) => {
    // A slot becomes free every `meanMillis / limit`.
    if (((waiting.size + 1) * meanMillis) / limit > maxMillis) return undefined
    waiting.add(then)
    // Canceled after it was called, the caller has the slot and releases it.
    return () => void waiting.delete(then)
  }

  const release = () => {
    running--
    // The limit may have changed since the attempt began.
    while (running < limit) {
      const [next] = waiting
      if (next === undefined) return
      waiting.delete(next)
      running++
      next()
    }
  }

  const acquire: Effect.Effect<boolean> = Effect.suspend(() => {
    if (tryAcquire()) return acquired
    return Effect.callback<boolean>((resume) => {
      let hasSlot = false
      const cancel = wait(() => {
        hasSlot = true
        resume(acquired)
      }, maxWaitMillis)
      if (cancel === undefined) return resume(full)
      return Effect.sync(() => (hasSlot ? release() : cancel()))
    })
  })

  return {
    tryAcquire,
    wait,
    release: (heldMillis) => {
      observe(heldMillis)
      release()
    },
    limit: () => limit,
    run: (work) =>
      Effect.clockWith((clock) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(restore(acquire), (isAcquired) => {
            if (!isAcquired) return Effect.succeed(undefined)
            const startedAt = clock.currentTimeMillisUnsafe()
            return Effect.onExit(restore(work), () => {
              observe(clock.currentTimeMillisUnsafe() - startedAt)
              release()
              return Effect.void
            })
          }),
        ),
      ),
  }
}

const acquired = Effect.succeed(true)
const full = Effect.succeed(false)
