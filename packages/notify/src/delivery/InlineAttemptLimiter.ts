/**
 * Room for first tries in place of a work message, of one channel. Where it is full, a try waits for room if the provider
 * answers quickly, as then a message of its own would cost more than the call; otherwise it must go another way, so that a
 * slow provider holds up no other's requests.
 */
import { Effect } from "effect"

export interface InlineAttemptLimiter {
  /** Runs the work; `undefined` where it found no room. */
  readonly run: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A | undefined, E, R>
}

export interface Options {
  readonly maxConcurrent: number
  /** Up to so long a try, on average, those who find no room wait for it. */
  readonly queueBelowMeanMillis: number
}

/** How much the last work counts for how long the next will take. */
const meanWeight = 0.1

export const make = ({ queueBelowMeanMillis, maxConcurrent }: Options): InlineAttemptLimiter => {
  const waiting: Array<(isIn: Effect.Effect<void>) => void> = []
  let running = 0
  let meanMillis = 0

  const acquire: Effect.Effect<boolean> = Effect.suspend(() => {
    if (running < maxConcurrent) {
      running++
      return acquired
    }
    if (meanMillis > queueBelowMeanMillis) return full
    return Effect.as(
      // The place is handed over with the call.
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
          Effect.flatMap(restore(acquire), (isIn) => {
            if (!isIn) return Effect.succeed(undefined)
            const began = clock.currentTimeMillisUnsafe()
            return Effect.onExit(restore(work), () => {
              meanMillis += (clock.currentTimeMillisUnsafe() - began - meanMillis) * meanWeight
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
