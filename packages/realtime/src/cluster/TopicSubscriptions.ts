/**
 * One shared resource per topic with local subscribers (a bus subscription, a history subscription). It is acquired for
 * the first subscriber and released `idleTimeToLive` after the last one left, so members that come and go quickly cost no
 * subscription each.
 */
import type { PortError } from "@armoricore/domain/Errors"
import { Effect, Exit, type Fiber, FiberSet, RcMap, Schedule, Scope } from "effect"
import type { Topics } from "../pubsub/Topics.ts"

export interface TopicSubscriptions {
  /** Acquires the topic's resource in the background. Call it after the topic's first subscriber was added. */
  readonly open: (topic: string) => void
  /** The resource is acquired: no message is missed. */
  readonly isReady: (topic: string) => boolean
  /** Waits for the resource; at most `readyTimeout`, and not at all while the bus is disconnected. */
  readonly awaitReady: (topic: string) => Effect.Effect<void>
}

const idleTimeToLive = "10 seconds"
const readyTimeout = "2 seconds"
const retryInterval = "1 second"

export const make = Effect.fnUntraced(function* (options: {
  readonly topics: Topics["Service"]
  readonly acquire: (topic: string) => Effect.Effect<void, PortError, Scope.Scope>
  readonly isConnected: () => boolean
}) {
  const { topics, isConnected } = options
  const readyTopics = new Set<string>()
  const subscriptions = yield* RcMap.make({
    idleTimeToLive,
    lookup: (topic: string) =>
      acquireWithRetry(topic, options.acquire(topic)).pipe(
        Effect.andThen(
          Effect.acquireRelease(
            Effect.sync(() => void readyTopics.add(topic)),
            () => Effect.sync(() => void readyTopics.delete(topic)),
          ),
        ),
      ),
  })
  const fork = yield* FiberSet.makeRuntime<never, void>()
  /** One fiber for each topic with subscribers; it holds the topic's reference until the last subscriber leaves. */
  const references = new Map<string, Fiber.Fiber<void>>()

  const open = (topic: string): void => {
    if (references.has(topic) || topics.subscriberCount(topic) === 0) return
    references.set(topic, fork(Effect.scoped(Effect.andThen(RcMap.get(subscriptions, topic), Effect.never))))
  }
  yield* topics.onVacated((topic) => {
    references.get(topic)?.interruptUnsafe()
    references.delete(topic)
  })

  return {
    open,
    isReady: (topic) => readyTopics.has(topic),
    awaitReady: (topic) =>
      Effect.suspend(() => {
        open(topic)
        if (readyTopics.has(topic) || !isConnected()) return Effect.void
        return Effect.asVoid(Effect.timeoutOption(Effect.scoped(RcMap.get(subscriptions, topic)), readyTimeout))
      }),
  } satisfies TopicSubscriptions
})

/** Each attempt has its own scope, so that a failed one leaves no subscription behind. */
const acquireWithRetry = (topic: string, acquire: Effect.Effect<void, PortError, Scope.Scope>) =>
  Effect.gen(function* () {
    const attempt = yield* Scope.fork(yield* Effect.scope)
    yield* Effect.onExit(Scope.provide(acquire, attempt), (exit) =>
      Exit.isSuccess(exit) ? Effect.void : Scope.close(attempt, exit),
    )
  }).pipe(
    Effect.tapError((error) => Effect.logWarning(`cannot subscribe to ${topic} of other nodes: ${error.message}`)),
    Effect.retry(Schedule.spaced(retryInterval)),
    Effect.orDie,
  )
