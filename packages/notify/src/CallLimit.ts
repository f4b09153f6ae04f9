/**
 * How long a provider may take to answer, for all calls of a route together: one clock watches the oldest call, as all
 * have the same limit. A timer and a race for each call would cost more than the call itself.
 */
import { Clock, type Context, Duration, Effect, type Exit, Fiber, type Scope } from "effect"

interface Call {
  readonly until: number
  readonly fiber: Fiber.Fiber<unknown, unknown>
  late: boolean
}

export interface CallLimit {
  /**
   * Starts a call in place. `settled` hears its end once, and whether the limit ended it. What is returned ends the call
   * early.
   */
  readonly start: <A, E>(
    context: Context.Context<never>,
    call: Effect.Effect<A, E>,
    settled: (exit: Exit.Exit<A, E>, isLate: boolean) => void,
  ) => Effect.Effect<void>
}

export const make = Effect.fnUntraced(function* (
  limit: Duration.Duration,
): Effect.fn.Return<CallLimit, never, Scope.Scope> {
  const limitMillis = Duration.toMillis(limit)
  const clock = yield* Clock.Clock
  const scope = yield* Effect.scope
  const own = yield* Effect.context<never>()
  // The oldest first.
  const calls = new Set<Call>()
  let isWatched = false

  const watch: Effect.Effect<void> = Effect.suspend(() => {
    for (const call of calls) {
      const left = call.until - clock.currentTimeMillisUnsafe()
      if (left > 0) return Effect.andThen(Effect.sleep(left), watch)
      calls.delete(call)
      call.late = true
      call.fiber.interruptUnsafe()
    }
    isWatched = false
    return Effect.void
  })

  return {
    start: (context, effect, settled) => {
      const fiber = Effect.runForkWith(context)(effect)
      const ended = fiber.pollUnsafe()
      if (ended !== undefined) {
        settled(ended, false)
        return Effect.void
      }
      const call: Call = { fiber, until: clock.currentTimeMillisUnsafe() + limitMillis, late: false }
      calls.add(call)
      fiber.addObserver((exit) => {
        calls.delete(call)
        settled(exit, call.late)
      })
      if (!isWatched) {
        isWatched = true
        Effect.runForkWith(own)(Effect.forkIn(watch, scope))
      }
      return Fiber.interrupt(fiber)
    },
  }
})
