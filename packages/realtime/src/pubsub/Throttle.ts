/**
 * Emits at most once a second per key: at once after a quiet second, then at the end of every second with a trigger.
 */
import { Effect, FiberMap, type Scope } from "effect"

export interface Throttle {
  readonly trigger: (key: string) => Effect.Effect<void>
}

export const make = (emit: (key: string) => Effect.Effect<void>): Effect.Effect<Throttle, never, Scope.Scope> =>
  Effect.gen(function* () {
    const running = yield* FiberMap.make<string>()
    const changed = new Set<string>()

    const run = Effect.fnUntraced(function* (key: string) {
      while (changed.delete(key)) {
        yield* emit(key)
        yield* Effect.sleep("1 second")
      }
    })
    return {
      trigger: (key) =>
        Effect.suspend(() => {
          changed.add(key)
          return FiberMap.hasUnsafe(running, key) ? Effect.void : Effect.asVoid(FiberMap.run(running, key, run(key)))
        }),
    }
  })
