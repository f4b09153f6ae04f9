/** A token that all callers share. It is renewed before it expires and after the provider rejected it. */
import { Clock, Effect, Semaphore } from "effect"

export interface CachedToken<E> {
  readonly get: Effect.Effect<string, E>
  /** The token if there is one at this time, epoch milliseconds: `get` without an effect. */
  readonly at: (now: number) => string | undefined
  /** The provider rejected this token: the next `get` creates another. Later calls with the old token do nothing. */
  readonly invalidate: (token: string) => Effect.Effect<void>
}

export interface IssuedToken {
  readonly value: string
  readonly ttlMillis: number
}

/** Providers throttle clients that sign too often: a token younger than `minRenewalMillis` stays in use. */
export const make = <E>(create: Effect.Effect<IssuedToken, E>, minRenewalMillis = 0): CachedToken<E> => {
  const mutex = Semaphore.makeUnsafe(1)
  let current: { readonly value: string; readonly until: number; readonly from: number } | undefined
  const currentAt = (now: number) => (current !== undefined && current.until > now ? current.value : undefined)
  return {
    at: currentAt,
    get: Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const cached = currentAt(now)
      if (cached !== undefined) return Effect.succeed(cached)
      return mutex.withPermits(1)(
        Effect.suspend(() => {
          // Another caller may have created it while this one waited.
          const renewed = currentAt(now)
          if (renewed !== undefined) return Effect.succeed(renewed)
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
