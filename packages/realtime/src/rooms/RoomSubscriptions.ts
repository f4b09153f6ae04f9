/**
 * What is added to the histories of this node's rooms, on whichever node, told to this node's sockets: in the order of
 * numbers, each once. The history itself says what was added, so that nothing depends on the life of the node that added
 * it. What was not heard (the bus was away, a message was lost) is read from the history; who came while nothing could be
 * heard joins again.
 */
import { type AppendNotification, History, type HistoryItem } from "@armoricore/history/History"
import { Effect, Latch, Schedule, Semaphore } from "effect"
import { Cluster } from "../cluster/Cluster.ts"
import * as TopicSubscriptions from "../cluster/TopicSubscriptions.ts"
import type { Topics } from "../pubsub/Topics.ts"
import { ReorderBuffer } from "./ReorderBuffer.ts"

export interface RoomSubscriptions {
  /** Returns once nothing that is added to the topic is missed any more, or when the bus is away. */
  readonly awaitReady: (topic: string) => Effect.Effect<void>
}

/** How long an item that came early waits for those before it, before they are read. */
const reorderDelay = "100 millis"
/** At most so many missed items are told; who missed more joins again. */
const maxBackfill = 1000
const maxConcurrentReads = 16

export const make = Effect.fnUntraced(function* (options: {
  readonly topics: Topics["Service"]
  readonly deliver: (topic: string, item: HistoryItem) => void
}) {
  const history = yield* History
  const cluster = yield* Cluster
  const readPermits = yield* Semaphore.make(maxConcurrentReads)
  /** One for each open topic: what it has is looked at again. */
  const checks = new Set<() => void>()
  /** Topics that somebody came to before what is added to them was heard. */
  const joinedBeforeReady = new Set<string>()

  const tell = (topic: string, items: ReadonlyArray<HistoryItem>): void => {
    for (const item of items) options.deliver(topic, item)
  }

  const readWithRetry = (topic: string, page: { readonly since?: number; readonly limit: number }) =>
    readPermits.withPermit(history.read(topic, page)).pipe(
      Effect.tapError((error) => Effect.logDebug(`${topic} waits for its history`, error)),
      Effect.retry({ while: (error) => error._tag === "TransientError", schedule: Schedule.spaced("1 second") }),
    )

  /** Lives as long as somebody wants the topic. */
  const acquire = Effect.fnUntraced(function* (topic: string) {
    const reorderBuffer = new ReorderBuffer()
    const gapDetected = yield* Latch.make(false)
    let isGapCertain = false

    const check = () => {
      isGapCertain = true
      gapDetected.openUnsafe()
    }
    const onAppend = (added: AppendNotification) => {
      tell(topic, reorderBuffer.push(added))
      if (reorderBuffer.hasGap) gapDetected.openUnsafe()
    }
    yield* history.subscribe(topic, onAppend, check)
    yield* Effect.acquireRelease(
      Effect.sync(() => checks.add(check)),
      () => Effect.sync(() => checks.delete(check)),
    )
    // Heard first and read then: what is added between the two waits in the sequence.
    const { items } = yield* readWithRetry(topic, { limit: 1 })
    // What was added since they came is neither in the answer to their join nor told from here on.
    if (joinedBeforeReady.delete(topic)) options.topics.reportGap(topic)
    tell(topic, reorderBuffer.start(items.at(-1)?.seq ?? 0))

    const backfillGap = Effect.gen(function* () {
      yield* gapDetected.await
      // Mostly it is on its way.
      if (!isGapCertain) yield* Effect.sleep(reorderDelay)
      gapDetected.closeUnsafe()
      if (!isGapCertain && !reorderBuffer.hasGap) return
      isGapCertain = false
      const upTo = reorderBuffer.highestBuffered
      const stretch = yield* readWithRetry(topic, { since: reorderBuffer.lastSeq ?? 0, limit: maxBackfill })
      // Of a room where nothing was said a history need not know that it has all.
      if (!stretch.complete && stretch.items.length > 0) {
        yield* Effect.logInfo(`too much was missed on ${topic}; its members join again`)
        options.topics.reportGap(topic)
      }
      tell(topic, reorderBuffer.backfill(stretch.items, upTo))
    })
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.catch(backfillGap, (error) => Effect.logWarning(`what was missed on ${topic} cannot be read`, error)),
      ),
    )
  })

  const subscriptions = yield* TopicSubscriptions.make({
    topics: options.topics,
    acquire,
    isConnected: cluster.isConnected,
  })
  // A node that is lost may have added what it could not tell any more.
  yield* cluster.onNodeChange((change) => {
    if (change === "lost") for (const check of checks) check()
  })
  return {
    awaitReady: (topic) =>
      Effect.andThen(
        subscriptions.awaitReady(topic),
        Effect.sync(() => {
          if (!subscriptions.isReady(topic)) joinedBeforeReady.add(topic)
        }),
      ),
  } satisfies RoomSubscriptions
})
