/**
 * Publish–subscribe by topic. A broadcast is encoded once per serializer, when the first subscriber of that serializer
 * needs it, and then only queued per subscriber; no Effect runs per subscriber.
 *
 * `broadcast` reaches the subscribers of every node, `deliver` only those of this node. On a single node they are the
 * same; `ClusterTopics` sends a `broadcast` over the bus's ephemeral channel, and every receiving node calls `deliver`. A
 * publisher that runs on every node for every event (`BusBridge`) calls `deliver` itself.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { type StateSnapshot, OutgoingFrame } from "../socket/OutgoingFrame.ts"
import type { Payload, Serializer } from "../protocol/Message.ts"

/** One broadcast; encodes its frames on first use. */
export class Broadcast {
  readonly topic: string
  readonly event: string
  readonly payload: Payload
  readonly droppable: boolean
  /** The position in the topic's history, if it is stored there. */
  readonly seq: number | undefined
  readonly snapshot: StateSnapshot | undefined
  /** A member that lost it gets it when it joins again. */
  readonly isReplayed: boolean
  #v1: OutgoingFrame | undefined
  #v2: OutgoingFrame | undefined

  constructor(topic: string, event: string, payload: Payload, options?: BroadcastOptions) {
    this.topic = topic
    this.event = event
    this.payload = payload
    this.droppable = options?.droppable === true
    this.seq = options?.seq
    this.snapshot = options?.snapshot
    this.isReplayed = options?.isReplayed ?? this.seq !== undefined
  }

  frame(serializer: Serializer): OutgoingFrame {
    return serializer.version === "2.0.0"
      ? (this.#v2 ??= this.#encode(serializer))
      : (this.#v1 ??= this.#encode(serializer))
  }

  #encode(serializer: Serializer): OutgoingFrame {
    const body = serializer.broadcast(this.topic, this.event, this.payload)
    const replayableTopic = !this.isReplayed || this.droppable ? undefined : this.topic
    return new OutgoingFrame(body, this.droppable, this.snapshot, replayableTopic)
  }
}

export interface BroadcastOptions {
  /** A slow consumer may lose it. */
  readonly droppable?: boolean
  /** Sent instead to a consumer that lost it, once that one reads again. */
  readonly snapshot?: StateSnapshot
  /** The position in the topic's history. A member whose join reply includes it does not receive it again. */
  readonly seq?: number
  /** A member that lost it gets it when it joins again. Default: whether it has a `seq`. */
  readonly isReplayed?: boolean
  /** Excluded from the delivery. */
  readonly except?: Subscriber
  /** Only for the subscribers of this subtopic. */
  readonly subtopic?: string
}

/** `receive` runs once per broadcast and subscriber: it must be quick and must not throw. */
export interface Subscriber {
  readonly receive: (broadcast: Broadcast) => void
  /** Broadcasts of the topic were missed and cannot be delivered later. */
  readonly onGap?: () => void
}

export class Topics extends Context.Service<
  Topics,
  {
    /** Until `unsubscribe`. Synchronous, so no broadcast passes between a check and the subscription. */
    readonly subscribe: (topic: string, subscriber: Subscriber, subtopic?: string) => void
    readonly unsubscribe: (topic: string, subscriber: Subscriber, subtopic?: string) => void
    /** To the subscribers of every node. */
    readonly broadcast: (
      topic: string,
      event: string,
      payload: Payload,
      options?: BroadcastOptions,
    ) => Effect.Effect<void>
    /** To the subscribers of this node. Synchronous. */
    readonly deliver: (topic: string, event: string, payload: Payload, options?: BroadcastOptions) => void
    /**
     * Waits until broadcasts of other nodes reach this node's subscribers; returns at once while the bus is disconnected.
     * A join waits for it before it reads the topic's history.
     */
    readonly awaitReady: (topic: string) => Effect.Effect<void>
    /** Calls `onGap` of the topic's subscribers on this node. */
    readonly reportGap: (topic: string) => void
    /** Calls the listener when the last subscriber of a topic on this node has left, until the scope closes. */
    readonly onVacated: (listener: (topic: string) => void) => Effect.Effect<void, never, Scope.Scope>
    /** Subscribers on this node. */
    readonly subscriberCount: (topic: string) => number
    /** Totals of this node. */
    readonly counts: { readonly broadcasts: number; readonly deliveries: number }
  }
>()("@armoricore/realtime/Topics") {
  /** On one node. */
  static readonly layer = Layer.sync(Topics, () => makeLocal())
}

/** The topics of a single node. */
export const makeLocal = (): Topics["Service"] => {
  const vacatedListeners = new Set<(topic: string) => void>()
  const topics = new Map<string, Set<Subscriber>>()
  const counts = { broadcasts: 0, deliveries: 0 }

  const deliver: Topics["Service"]["deliver"] = (topic, event, payload, options) => {
    const subscribers = topics.get(keyOf(topic, options?.subtopic))
    if (subscribers === undefined) return
    const broadcast = new Broadcast(topic, event, payload, options)
    const except = options?.except
    for (const subscriber of subscribers) if (subscriber !== except) subscriber.receive(broadcast)
    counts.broadcasts++
    counts.deliveries += subscribers.size
  }

  return {
    subscribe: (topic, subscriber, subtopic) => {
      const key = keyOf(topic, subtopic)
      const subscribers = topics.get(key)
      if (subscribers === undefined) topics.set(key, new Set([subscriber]))
      else subscribers.add(subscriber)
    },
    unsubscribe: (topic, subscriber, subtopic) => {
      const key = keyOf(topic, subtopic)
      const subscribers = topics.get(key)
      if (subscribers?.delete(subscriber) !== true || subscribers.size > 0) return
      topics.delete(key)
      if (subtopic === undefined) for (const listener of vacatedListeners) listener(topic)
    },
    broadcast: (topic, event, payload, options) => Effect.sync(() => deliver(topic, event, payload, options)),
    deliver,
    awaitReady: () => Effect.void,
    reportGap: (topic) => {
      for (const subscriber of topics.get(topic) ?? []) subscriber.onGap?.()
    },
    onVacated: (listener) =>
      Effect.acquireRelease(
        Effect.sync(() => void vacatedListeners.add(listener)),
        () => Effect.sync(() => void vacatedListeners.delete(listener)),
      ),
    subscriberCount: (topic) => topics.get(topic)?.size ?? 0,
    counts,
  }
}

/** Topics of clients contain no line break, so the keys are unambiguous. */
const keyOf = (topic: string, subtopic: string | undefined): string =>
  subtopic === undefined ? topic : `${topic}\n${subtopic}`
