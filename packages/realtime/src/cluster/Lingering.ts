/**
 * Something that is held open for each topic that has subscribers, and a while longer, so that people who come and go cost
 * no subscription each. Opening is tried until it works; meanwhile, and while the bus is away, nobody is held up for long.
 */
import type { PortError } from "@armoricore/domain/Errors"
import { Deferred, Effect, Fiber, FiberSet, Schedule, type Scope } from "effect"

export interface Lingering {
  /** Opens it unless it is open. */
  readonly open: (topic: string) => void
  readonly has: (topic: string) => boolean
  /** Opened whole, so that nothing is missed. */
  readonly isReady: (topic: string) => boolean
  /** Returns once it is open, or when that takes too long. */
  readonly ready: (topic: string) => Effect.Effect<void>
}

/** A topic without subscribers is let go within this time. */
const sweepEvery = "10 seconds"
const patience = "2 seconds"

export const make = Effect.fnUntraced(function* (options: {
  readonly acquire: (topic: string) => Effect.Effect<void, PortError, Scope.Scope>
  readonly isWanted: (topic: string) => boolean
  /** False: nobody waits. */
  readonly isConnected: () => boolean
}) {
  const fibers = yield* FiberSet.make<void>()
  const fork = yield* FiberSet.runtime(fibers)()
  const opened = new Map<string, { readonly ready: Deferred.Deferred<void>; readonly fiber: Fiber.Fiber<void> }>()

  const hold = (topic: string, ready: Deferred.Deferred<void>) =>
    options.acquire(topic).pipe(
      Effect.andThen(Deferred.succeed(ready, undefined)),
      Effect.andThen(Effect.never),
      Effect.scoped,
      Effect.tapError((error) => Effect.logWarning(`${topic} is not heard from other nodes: ${error.message}`)),
      Effect.retry(Schedule.spaced("1 second")),
      Effect.orDie,
    )

  const open = (topic: string): Deferred.Deferred<void> => {
    const known = opened.get(topic)
    if (known !== undefined) return known.ready
    const ready = Deferred.makeUnsafe<void>()
    opened.set(topic, { ready, fiber: fork(hold(topic, ready)) })
    return ready
  }

  yield* Effect.forkScoped(
    Effect.suspend(() => {
      const unwanted: Array<Fiber.Fiber<void>> = []
      for (const [topic, { fiber }] of opened) {
        if (options.isWanted(topic)) continue
        opened.delete(topic)
        unwanted.push(fiber)
      }
      return Fiber.interruptAll(unwanted)
    }).pipe(Effect.schedule(Schedule.spaced(sweepEvery))),
  )

  return {
    open: (topic) => void open(topic),
    has: (topic) => opened.has(topic),
    isReady: (topic) => {
      const known = opened.get(topic)
      return known !== undefined && Deferred.isDoneUnsafe(known.ready)
    },
    ready: (topic) =>
      Effect.suspend(() => {
        const ready = open(topic)
        if (Deferred.isDoneUnsafe(ready) || !options.isConnected()) return Effect.void
        return Effect.asVoid(Effect.timeoutOption(Deferred.await(ready), patience))
      }),
  } satisfies Lingering
})
