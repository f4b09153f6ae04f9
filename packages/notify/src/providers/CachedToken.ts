/** A token that is made once, shared by all callers, and made anew before it ends or when it is refused. */
import { Clock, Effect, Semaphore } from "effect"

export interface CachedToken<E> {
  readonly get: Effect.Effect<string, E>
  /** The provider refused this one; the next `get` makes another, once for all who were refused with it. */
  readonly invalidate: (token: string) => Effect.Effect<void>
}

export interface IssuedToken {
  readonly value: string
  readonly ttlMillis: number
}

/** Providers throttle those who sign too often: `refused` counts at most once in `restMillis`. */
export const make = <E>(create: Effect.Effect<IssuedToken, E>, minRenewalMillis = 0): CachedToken<E> => {
  const mutex = Semaphore.makeUnsafe(1)
  let current: { readonly value: string; readonly until: number; readonly from: number } | undefined
  const currentAt = (now: number) => (current !== undefined && current.until > now ? current.value : undefined)
  return {
    get: Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const known = currentAt(now)
      if (known !== undefined) return Effect.succeed(known)
      return mutex.withPermits(1)(
        Effect.suspend(() => {
          const made = currentAt(now)
          if (made !== undefined) return Effect.succeed(made)
          return Effect.map(create, ({ ttlMillis, value }) => {
            current = { value, from: now, until: now + ttlMillis }
            return value
          })
        }),
      )
    }),
    invalidate: (token) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        if (current?.value === token && now - current.from >= minRenewalMillis) current = undefined
      }),
  }
}
