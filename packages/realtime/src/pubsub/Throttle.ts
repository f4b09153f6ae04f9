/**
 * Emits at most once per interval and key: at once after a quiet interval, then at the end of every interval with a trigger.
 */
import { type Duration, Effect, FiberMap, type Scope } from "effect"

export interface Throttle {
  readonly trigger: (key: string) => Effect.Effect<void>
}

export const make = (
  emit: (key: string) => Effect.Effect<void>,
  interval: Duration.Input = "1 second",
): Effect.Effect<Throttle, never, Scope.Scope> =>
  Effect.gen(function* () {
    const running = yield* FiberMap.make<string>()
    const changed = new Set<string>()

    const run = Effect.fnUntraced(function* (key: string) {
      while (changed.delete(key)) {
        yield* emit(key)
        yield* Effect.sleep(interval)
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
