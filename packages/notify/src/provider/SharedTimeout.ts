/**
 * One timeout for all calls of a provider. Since all have the same limit, one fiber watches the oldest call. A timer and
 * a race for each (`Effect.timeout`) would cost 5 µs CPU per call, which is much for a push batch.
 */
import { Clock, type Context, Duration, Effect, type Exit, Fiber, type Scope } from "effect"

interface Call {
  readonly deadline: number
  readonly fiber: Fiber.Fiber<unknown, unknown>
  timedOut: boolean
}

export interface SharedTimeout {
  /**
   * Starts a call at once. `settled` receives its exit, and whether the timeout interrupted it. The returned effect
   * interrupts the call.
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
  // In order of their deadlines.
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
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) {
        settled(exit, false)
        return Effect.void
      }
      const call: Call = { fiber, deadline: clock.currentTimeMillisUnsafe() + timeoutMillis, timedOut: false }
      calls.add(call)
      fiber.addObserver((end) => {
        calls.delete(call)
        settled(end, call.timedOut)
      })
      if (!isWatching) {
        isWatching = true
        Effect.runForkWith(ownContext)(Effect.forkIn(watch, scope))
      }
      return Fiber.interrupt(fiber)
    },
  }
})
