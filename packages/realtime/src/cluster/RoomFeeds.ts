/**
 * What is added to the histories of this node's rooms, on whichever node, told to this node's sockets: in the order of
 * numbers, each once. The history itself says what was added, so that nothing depends on the life of the node that added
 * it. What was not heard (the bus was away, a message was lost) is read from the history; who came while nothing could be
 * heard joins again.
 */
import { type Added, History, type Item } from "@armoricore/history/History"
import { Effect, Latch, Schedule, Semaphore } from "effect"
import { Cluster } from "./Cluster.ts"
import * as Lingering from "./Lingering.ts"
import { Sequence } from "./Sequence.ts"

export interface RoomFeeds {
  /** Returns once nothing that is added to the topic is missed any more, or when the bus is away. */
  readonly ready: (topic: string) => Effect.Effect<void>
}

/** How long an item that came early waits for those before it, before they are read. */
const grace = "100 millis"
/** At most so many missed items are told; who missed more joins again. */
const maxMissed = 1000
const readsAtOnce = 16

export const make = Effect.fnUntraced(function* (options: {
  readonly isWanted: (topic: string) => boolean
  readonly tell: (topic: string, item: Item) => void
  /** Something was missed that cannot be told. */
  readonly miss: (topic: string) => void
}) {
  const history = yield* History
  const cluster = yield* Cluster
  const turns = yield* Semaphore.make(readsAtOnce)
  /** One for each open topic: what it has is looked at again. */
  const checks = new Set<() => void>()
  /** Topics that somebody came to before what is added to them was heard. */
  const blind = new Set<string>()

  const tell = (topic: string, items: ReadonlyArray<Item>): void => {
    for (const item of items) options.tell(topic, item)
  }

  const readPatiently = (topic: string, page: { readonly since?: number; readonly limit: number }) =>
    turns.withPermit(history.read(topic, page)).pipe(
      Effect.tapError((error) => Effect.logDebug(`${topic} waits for its history`, error)),
      Effect.retry({ while: (error) => error._tag === "TransientError", schedule: Schedule.spaced("1 second") }),
    )

  /** Lives as long as somebody wants the topic. */
  const acquire = Effect.fnUntraced(function* (topic: string) {
    const sequence = new Sequence()
    const missed = yield* Latch.make(false)
    let isCertain = false

    const check = () => {
      isCertain = true
      missed.openUnsafe()
    }
    const hear = (added: Added) => {
      tell(topic, sequence.add(added))
      if (sequence.isBehind) missed.openUnsafe()
    }
    yield* history.follow(topic, hear, check)
    yield* Effect.acquireRelease(
      Effect.sync(() => checks.add(check)),
      () => Effect.sync(() => checks.delete(check)),
    )
    // Heard first and read then: what is added between the two waits in the sequence.
    const { items } = yield* readPatiently(topic, { limit: 1 })
    // What was added since they came is neither in the answer to their join nor told from here on.
    if (blind.delete(topic)) options.miss(topic)
    tell(topic, sequence.begin(items.at(-1)?.seq ?? 0))

    const mend = Effect.gen(function* () {
      yield* missed.await
      // Mostly it is on its way.
      if (!isCertain) yield* Effect.sleep(grace)
      missed.closeUnsafe()
      if (!isCertain && !sequence.isBehind) return
      isCertain = false
      const upTo = sequence.highestHeld
      const stretch = yield* readPatiently(topic, { since: sequence.last ?? 0, limit: maxMissed })
      // Of a room where nothing was said a history need not know that it has all.
      if (!stretch.complete && stretch.items.length > 0) {
        yield* Effect.logInfo(`too much was missed on ${topic}; its members join again`)
        options.miss(topic)
      }
      tell(topic, sequence.fill(stretch.items, upTo))
    })
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.catch(mend, (error) => Effect.logWarning(`what was missed on ${topic} cannot be read`, error)),
      ),
    )
  })

  const feeds = yield* Lingering.make({
    acquire,
    isWanted: options.isWanted,
    isConnected: cluster.isConnected,
  })
  // A node that is lost may have added what it could not tell any more.
  yield* cluster.onNode((change) => {
    if (change === "lost") for (const check of checks) check()
  })
  return {
    ready: (topic) =>
      Effect.andThen(
        feeds.ready(topic),
        Effect.sync(() => {
          if (!feeds.isReady(topic)) blind.add(topic)
        }),
      ),
  } satisfies RoomFeeds
})
