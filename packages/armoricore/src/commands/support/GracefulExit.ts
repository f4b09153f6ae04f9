/** Ended by a signal after everything was handed over: that is a success. */
import { Effect } from "effect"

export const withGracefulExit = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.onInterrupt(self, () =>
    Effect.sync(() => {
      process.exitCode = 0
    }),
  )
