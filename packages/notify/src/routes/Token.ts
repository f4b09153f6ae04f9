/** A token that is made once, shared by all callers, and made anew before it ends or when it is refused. */
import { Clock, Effect, Semaphore } from "effect"

export interface Token<E> {
  readonly get: Effect.Effect<string, E>
  /** The provider refused this one; the next `get` makes another, once for all who were refused with it. */
  readonly refused: (token: string) => Effect.Effect<void>
}

export interface Made {
  readonly value: string
  readonly livesMillis: number
}

/** Providers throttle those who sign too often: `refused` counts at most once in `restMillis`. */
export const make = <E>(create: Effect.Effect<Made, E>, restMillis = 0): Token<E> => {
  const turn = Semaphore.makeUnsafe(1)
  let current: { readonly value: string; readonly until: number; readonly from: number } | undefined
  const fresh = (now: number) => (current !== undefined && current.until > now ? current.value : undefined)
  return {
    get: Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const known = fresh(now)
      if (known !== undefined) return Effect.succeed(known)
      return turn.withPermits(1)(
        Effect.suspend(() => {
          const made = fresh(now)
          if (made !== undefined) return Effect.succeed(made)
          return Effect.map(create, ({ livesMillis, value }) => {
            current = { value, from: now, until: now + livesMillis }
            return value
          })
        }),
      )
    }),
    refused: (token) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        if (current?.value === token && now - current.from >= restMillis) current = undefined
      }),
  }
}
