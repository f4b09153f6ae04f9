/**
 * How many sockets listen to a topic, on all nodes together, told at most once a second. A node says its own number on a
 * part of the topic when it changes, and now and then again, since a message may be lost: so only nodes that have listeners
 * of the topic hear it. What a node that is gone said counts no more, and neither does what was not said again: that the
 * last listener of a node went may be what was lost, and nobody says it twice.
 */
import { Effect, Option, Schedule, Schema } from "effect"
import { Cluster } from "../cluster/Cluster.ts"
import * as Throttle from "./Throttle.ts"
import { type Broadcast, type Subscriber, Topics } from "./Topics.ts"

export interface ViewerCount {
  /** Somebody came to the topic, or went. */
  readonly update: (topic: string) => Effect.Effect<void>
}

/** The part of a topic where nodes say their numbers. */
const subtopic = "viewers"
const event = "viewers"

const Announcement = Schema.Struct({
  node: Schema.String,
  count: Schema.Int,
  /** Whoever comes new to a topic knows of nobody yet. */
  wantsReply: Schema.Boolean,
})
const decode = Schema.decodeUnknownOption(Announcement)

const announceInterval = "15 seconds"
/** A number that was not said again for so many of these rounds counts no more. */
const maxMissedRounds = 3

interface RemoteCount {
  readonly count: number
  /** Rounds since it was said. */
  missedRounds: number
}

/** `tell` says the number to this node's sockets; `count` is the number at the time it is asked. */
export const make = Effect.fnUntraced(function* (deliver: (topic: string, count: () => number) => void) {
  const topics = yield* Topics
  const cluster = yield* Cluster
  const watched = new Map<string, { readonly subscriber: Subscriber; readonly others: Map<string, RemoteCount> }>()
  const run = Effect.runForkWith(yield* Effect.context<never>())

  const countOf = (topic: string): number => {
    let count = topics.subscriberCount(topic)
    for (const other of watched.get(topic)?.others.values() ?? []) count += other.count
    return count
  }
  const localUpdates = yield* Throttle.make((topic) => Effect.sync(() => deliver(topic, () => countOf(topic))))
  if (!cluster.isClustered) return { update: localUpdates.trigger } satisfies ViewerCount

  const announce = (topic: string, wantsReply: boolean) =>
    topics.broadcast(
      topic,
      event,
      { node: cluster.node, count: topics.subscriberCount(topic), wantsReply },
      { subtopic, droppable: true },
    )

  const announcements = yield* Throttle.make((topic) =>
    Effect.suspend(() => {
      const known = watched.get(topic)
      if (topics.subscriberCount(topic) > 0) return announce(topic, known === undefined ? watch(topic) : false)
      if (known === undefined) return Effect.void
      watched.delete(topic)
      topics.unsubscribe(topic, known.subscriber, subtopic)
      return announce(topic, false)
    }),
  )

  const onAnnouncement = (topic: string, others: Map<string, RemoteCount>, { payload }: Broadcast): void => {
    const heard = decode(JSON.parse(JSON.stringify(payload)))
    if (Option.isNone(heard) || heard.value.node === cluster.node) return
    const { node, count, wantsReply } = heard.value
    if (count === 0) others.delete(node)
    else others.set(node, { count, missedRounds: 0 })
    run(Effect.andThen(localUpdates.trigger(topic), wantsReply ? announcements.trigger(topic) : Effect.void))
  }

  const watch = (topic: string): true => {
    const others = new Map<string, RemoteCount>()
    const subscriber: Subscriber = { receive: (broadcast) => onAnnouncement(topic, others, broadcast) }
    topics.subscribe(topic, subscriber, subtopic)
    watched.set(topic, { subscriber, others })
    return true
  }

  yield* cluster.onNodeChange((change, node) => {
    if (change === "joined") return
    for (const [topic, { others }] of watched) if (others.delete(node)) run(localUpdates.trigger(topic))
  })
  const expireRemoteCounts = (topic: string, others: Map<string, RemoteCount>): Effect.Effect<void> => {
    let hasForgotten = false
    for (const [node, other] of others) {
      other.missedRounds++
      if (other.missedRounds > maxMissedRounds) hasForgotten = others.delete(node)
    }
    return hasForgotten ? localUpdates.trigger(topic) : Effect.void
  }
  const round = Effect.suspend(() =>
    Effect.forEach(
      [...watched],
      ([topic, { others }]) => Effect.andThen(expireRemoteCounts(topic, others), announcements.trigger(topic)),
      { discard: true },
    ),
  )
  yield* Effect.forkScoped(Effect.schedule(round, Schedule.spaced(announceInterval)))

  return {
    update: (topic) => Effect.andThen(localUpdates.trigger(topic), announcements.trigger(topic)),
  } satisfies ViewerCount
})
