/** One timeout for all calls of a provider; see `FixedDelay`. */
import * as FixedDelay from "@armoricore/worker/FixedDelay"
import { type Context, type Duration, Effect, type Exit, Fiber, type Scope } from "effect"

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

export const make = (timeout: Duration.Duration): Effect.Effect<SharedTimeout, never, Scope.Scope> =>
  Effect.map(FixedDelay.make(timeout), (timeouts) => ({
    start: (context, call, settled) => {
      const fiber = Effect.runForkWith(context)(call)
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) {
        settled(exit, false)
        return Effect.void
      }
      let timedOut = false
      const cancel = timeouts.schedule(() => {
        timedOut = true
        fiber.interruptUnsafe()
      })
      fiber.addObserver((end) => {
        cancel()
        settled(end, timedOut)
      })
      return Fiber.interrupt(fiber)
    },
  }))
