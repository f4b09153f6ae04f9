/**
 * How long a provider may take to answer, for all calls of a route together: one clock watches the oldest call, as all
 * have the same limit. A timer and a race for each call would cost more than the call itself.
 */
import { Clock, type Context, Duration, Effect, type Exit, Fiber, type Scope } from "effect"

interface Call {
  readonly deadline: number
  readonly fiber: Fiber.Fiber<unknown, unknown>
  timedOut: boolean
}

export interface SharedTimeout {
  /**
   * Starts a call in place. `settled` hears its end once, and whether the limit ended it. What is returned ends the call
   * early.
   */
  readonly start: <A, E>(
    context: Context.Context<never>,
    call: Effect.Effect<A, E>,
    settled: (exit: Exit.Exit<A, E>, timedOut: boolean) => void,
  ) => Effect.Effect<void>
}

export const make = Effect.fnUntraced(function* (
  timeout: Duration.Duration,
): Effect.fn.Return<SharedTimeout, never, Scope.Scope> {
  const timeoutMillis = Duration.toMillis(timeout)
  const clock = yield* Clock.Clock
  const scope = yield* Effect.scope
  const ownContext = yield* Effect.context<never>()
  // The oldest first.
  const calls = new Set<Call>()
  let isWatching = false

  const watch: Effect.Effect<void> = Effect.suspend(() => {
    for (const call of calls) {
      const remaining = call.deadline - clock.currentTimeMillisUnsafe()
      if (remaining > 0) return Effect.andThen(Effect.sleep(remaining), watch)
      calls.delete(call)
      call.timedOut = true
      call.fiber.interruptUnsafe()
    }
    isWatching = false
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
      const call: Call = { fiber, deadline: clock.currentTimeMillisUnsafe() + timeoutMillis, timedOut: false }
      calls.add(call)
      fiber.addObserver((exit) => {
        calls.delete(call)
        settled(exit, call.timedOut)
      })
      if (!isWatching) {
        isWatching = true
        Effect.runForkWith(ownContext)(Effect.forkIn(watch, scope))
      }
      return Fiber.interrupt(fiber)
    },
  }
})
