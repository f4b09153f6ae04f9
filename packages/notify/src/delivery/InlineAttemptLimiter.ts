/**
 * Limits the concurrent first attempts of one channel that run without a work message. At the limit, an attempt waits
 * for a slot while the provider is fast, because a work message would cost more than the call. If the provider is slow,
 * the attempt is rejected and needs a work message, so that the provider does not delay requests of other channels.
 */
import { Effect } from "effect"

export interface InlineAttemptLimiter {
  /** Runs the work, or returns `undefined` without running it if no slot is free. */
  readonly run: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A | undefined, E, R>
}

export interface Options {
  readonly maxConcurrent: number
  /** An attempt waits for a slot only while the mean duration of attempts is at most this. */
  readonly queueBelowMeanMillis: number
}

/** The weight of the latest attempt in the moving average. */
const meanWeight = 0.1

export const make = ({ queueBelowMeanMillis, maxConcurrent }: Options): InlineAttemptLimiter => {
  const waiting: Array<(resumption: Effect.Effect<void>) => void> = []
  let running = 0
  let meanMillis = 0

  const acquire: Effect.Effect<boolean> = Effect.suspend(() => {
    if (running < maxConcurrent) {
      running++
      return acquired
    }
    if (meanMillis > queueBelowMeanMillis) return full
    return Effect.as(
      // The releasing attempt hands its slot over by this call, so `running` stays the same.
      Effect.callback<void>((resume) => {
        waiting.push(resume)
        return Effect.sync(() => {
          const at = waiting.indexOf(resume)
          if (at >= 0) waiting.splice(at, 1)
          else release()
        })
      }),
      true,
    )
  })

  const release = () => {
    const next = waiting.shift()
    if (next === undefined) running--
    else next(Effect.void)
  }

  return {
    run: (work) =>
      Effect.clockWith((clock) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(restore(acquire), (isAcquired) => {
            if (!isAcquired) return Effect.succeed(undefined)
            const startedAt = clock.currentTimeMillisUnsafe()
            return Effect.onExit(restore(work), () => {
              meanMillis += (clock.currentTimeMillisUnsafe() - startedAt - meanMillis) * meanWeight
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
