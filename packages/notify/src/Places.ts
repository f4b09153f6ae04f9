/**
 * Room for first tries in place of a work message, of one channel. Where it is full, a try waits for room if the provider
 * answers quickly, as then a message of its own would cost more than the call; otherwise it must go another way, so that a
 * slow provider holds up no other's requests.
 */
import { Effect } from "effect"

export interface Places {
  /** Runs the work; `undefined` where it found no room. */
  readonly use: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A | undefined, E, R>
}

export interface Options {
  readonly size: number
  /** Up to so long a try, on average, those who find no room wait for it. */
  readonly quickMillis: number
}

/** How much the last work counts for how long the next will take. */
const weight = 0.1

export const make = ({ quickMillis, size }: Options): Places => {
  const waiting: Array<(isIn: Effect.Effect<void>) => void> = []
  let used = 0
  let meanMillis = 0

  const enter: Effect.Effect<boolean> = Effect.suspend(() => {
    if (used < size) {
      used++
      return yes
    }
    if (meanMillis > quickMillis) return no
    return Effect.as(
      // The place is handed over with the call.
      Effect.callback<void>((resume) => {
        waiting.push(resume)
        return Effect.sync(() => {
          const at = waiting.indexOf(resume)
          if (at >= 0) waiting.splice(at, 1)
          else leave()
        })
      }),
      true,
    )
  })

  const leave = () => {
    const next = waiting.shift()
    if (next === undefined) used--
    else next(Effect.void)
  }

  return {
    use: (work) =>
      Effect.clockWith((clock) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(restore(enter), (isIn) => {
            if (!isIn) return Effect.succeed(undefined)
            const began = clock.currentTimeMillisUnsafe()
            return Effect.onExit(restore(work), () => {
              meanMillis += (clock.currentTimeMillisUnsafe() - began - meanMillis) * weight
              leave()
              return Effect.void
            })
          }),
        ),
      ),
  }
}

const yes = Effect.succeed(true)
const no = Effect.succeed(false)
