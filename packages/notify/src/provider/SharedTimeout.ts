/** One timeout for all calls of a provider; see `FixedDelay`. */
import * as FixedDelay from "@armoricore/worker/FixedDelay"
import { type Context, type Duration, Effect, Exit, Fiber, type Scope } from "effect"

type Begin<A, E> = (end: (exit: Exit.Exit<A, E>) => void, rest: (effect: Effect.Effect<A, E>) => void) => () => void
type Settled<A, E> = (exit: Exit.Exit<A, E>, timedOut: boolean) => void

export interface SharedTimeout {
  /**
   * Starts a call at once. `begin` is as `StartCall` of one message; what it leaves to run has the context. `settled` receives
   * the exit, and whether the timeout interrupted the call. The returned effect interrupts it.
   */
  readonly start: <A, E>(
    context: () => Context.Context<never>,
    begin: Begin<A, E>,
    settled: Settled<A, E>,
  ) => Effect.Effect<void>
}

export const make = (timeout: Duration.Duration): Effect.Effect<SharedTimeout, never, Scope.Scope> =>
  Effect.map(FixedDelay.make(timeout), (timeouts): SharedTimeout => ({
    start: <A, E>(context: () => Context.Context<never>, begin: Begin<A, E>, settled: Settled<A, E>) => {
      let isOver = false
      let timedOut = false
      let fiber: Fiber.Fiber<A, E> | undefined
      let cancelTimer = nothing
      let abort = nothing
      const end = (exit: Exit.Exit<A, E>) => {
        if (isOver) return
        isOver = true
        cancelTimer()
        settled(exit, timedOut)
      }
      const run = (rest: Effect.Effect<A, E>) => {
        if (isOver) return
        fiber = Effect.runForkWith(context())(rest)
        const exit = fiber.pollUnsafe()
        if (exit === undefined) fiber.addObserver(end)
        else end(exit)
      }
      try {
        abort = begin(end, run)
      } catch (defect) {
        // As in a fiber: a defect ends the call of its own message alone.
        end(Exit.die(defect))
      }
      if (isOver) return Effect.void
      const interrupt = () => {
        if (isOver) return
        if (fiber !== undefined) return fiber.interruptUnsafe()
        abort()
        end(Exit.interrupt())
      }
      cancelTimer = timeouts.schedule(() => {
        timedOut = true
        interrupt()
      })
      return Effect.suspend(() => (fiber === undefined ? Effect.sync(interrupt) : Fiber.interrupt(fiber)))
    },
  }))

const nothing = () => {}
