/**
 * How many sockets listen to a topic, on all nodes together, told at most once a second. A node says its own number on a
 * part of the topic when it changes, and now and then again, since a message may be lost: so only nodes that have listeners
 * of the topic hear it. What a node that is gone said counts no more, and neither does what was not said again: that the
 * last listener of a node went may be what was lost, and nobody says it twice.
 */
import { Effect, Option, Schedule, Schema } from "effect"
import { Cluster } from "./cluster/Cluster.ts"
import * as OncePerSecond from "./OncePerSecond.ts"
import { type Broadcast, type Subscriber, Topics } from "./Topics.ts"

export interface Viewers {
  /** Somebody came to the topic, or went. */
  readonly changed: (topic: string) => Effect.Effect<void>
}

/** The part of a topic where nodes say their numbers. */
const part = "viewers"
const event = "viewers"

const Said = Schema.Struct({
  node: Schema.String,
  count: Schema.Int,
  /** Whoever comes new to a topic knows of nobody yet. */
  asks: Schema.Boolean,
})
const decode = Schema.decodeUnknownOption(Said)

const sayAgain = "15 seconds"
/** A number that was not said again for so many of these rounds counts no more. */
const maxSilent = 3

interface Other {
  readonly count: number
  /** Rounds since it was said. */
  silent: number
}

/** `tell` says the number to this node's sockets; `count` is the number at the time it is asked. */
export const make = Effect.fnUntraced(function* (tell: (topic: string, count: () => number) => void) {
  const topics = yield* Topics
  const cluster = yield* Cluster
  const watched = new Map<string, { readonly subscriber: Subscriber; readonly others: Map<string, Other> }>()
  const run = Effect.runForkWith(yield* Effect.context<never>())

  const countOf = (topic: string): number => {
    let count = topics.size(topic)
    for (const other of watched.get(topic)?.others.values() ?? []) count += other.count
    return count
  }
  const shown = yield* OncePerSecond.make((topic) => Effect.sync(() => tell(topic, () => countOf(topic))))
  if (!cluster.isShared) return { changed: shown.changed } satisfies Viewers

  const say = (topic: string, asks: boolean) =>
    topics.broadcast(topic, event, { node: cluster.node, count: topics.size(topic), asks }, { part, droppable: true })

  const said = yield* OncePerSecond.make((topic) =>
    Effect.suspend(() => {
      const known = watched.get(topic)
      if (topics.size(topic) > 0) return say(topic, known === undefined ? watch(topic) : false)
      if (known === undefined) return Effect.void
      watched.delete(topic)
      topics.unsubscribe(topic, known.subscriber, part)
      return say(topic, false)
    }),
  )

  const hear = (topic: string, others: Map<string, Other>, { payload }: Broadcast): void => {
    const heard = decode(JSON.parse(JSON.stringify(payload)))
    if (Option.isNone(heard) || heard.value.node === cluster.node) return
    const { node, count, asks } = heard.value
    if (count === 0) others.delete(node)
    else others.set(node, { count, silent: 0 })
    run(Effect.andThen(shown.changed(topic), asks ? said.changed(topic) : Effect.void))
  }

  const watch = (topic: string): true => {
    const others = new Map<string, Other>()
    const subscriber: Subscriber = { receive: (broadcast) => hear(topic, others, broadcast) }
    topics.subscribe(topic, subscriber, part)
    watched.set(topic, { subscriber, others })
    return true
  }

  yield* cluster.onNode((change, node) => {
    if (change === "came") return
    for (const [topic, { others }] of watched) if (others.delete(node)) run(shown.changed(topic))
  })
  const forgetSilent = (topic: string, others: Map<string, Other>): Effect.Effect<void> => {
    let hasForgotten = false
    for (const [node, other] of others) {
      other.silent++
      if (other.silent > maxSilent) hasForgotten = others.delete(node)
    }
    return hasForgotten ? shown.changed(topic) : Effect.void
  }
  const round = Effect.suspend(() =>
    Effect.forEach(
      [...watched],
      ([topic, { others }]) => Effect.andThen(forgetSilent(topic, others), said.changed(topic)),
      { discard: true },
    ),
  )
  yield* Effect.forkScoped(Effect.schedule(round, Schedule.spaced(sayAgain)))

  return {
    changed: (topic) => Effect.andThen(shown.changed(topic), said.changed(topic)),
  } satisfies Viewers
})
