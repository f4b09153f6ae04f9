/**
 * The hub: who listens to which topic on this node. A broadcast is encoded once per serializer, when the first
 * subscriber of that kind asks, and then only queued for each; no Effect runs per subscriber.
 *
 * `broadcast` means every subscriber on every node, `deliver` those of this node. On one node they are the same; a
 * layer for many nodes carries `broadcast` over the bus's live channel and calls `deliver` where it is heard, while
 * those who hear the same thing on every node (`BusFeed`) keep calling `deliver`.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { type StateSnapshot, OutgoingFrame } from "../socket/OutgoingFrame.ts"
import type { Payload, Serializer } from "../protocol/Message.ts"

/** One broadcast, with its frames as they become needed. */
export class Broadcast {
  readonly topic: string
  readonly event: string
  readonly payload: Payload
  readonly droppable: boolean
  /** The position in the topic's history, where it has one. */
  readonly seq: number | undefined
  readonly snapshot: StateSnapshot | undefined
  #v1: OutgoingFrame | undefined
  #v2: OutgoingFrame | undefined

  constructor(topic: string, event: string, payload: Payload, options?: BroadcastOptions) {
    this.topic = topic
    this.event = event
    this.payload = payload
    this.droppable = options?.droppable === true
    this.seq = options?.seq
    this.snapshot = options?.snapshot
  }

  frame(serializer: Serializer): OutgoingFrame {
    return serializer.version === "2.0.0"
      ? (this.#v2 ??= this.#encode(serializer))
      : (this.#v1 ??= this.#encode(serializer))
  }

  #encode(serializer: Serializer): OutgoingFrame {
    return new OutgoingFrame(serializer.broadcast(this.topic, this.event, this.payload), this.droppable, this.snapshot)
  }
}

export interface BroadcastOptions {
  /** May be lost by a reader that is too slow. */
  readonly droppable?: boolean
  /** What such a reader is told instead, once it reads again. */
  readonly snapshot?: StateSnapshot
  /** The position in the topic's history: a join whose reply reaches that far does not repeat it. */
  readonly seq?: number
  /** Everybody but this one. */
  readonly except?: Subscriber
  /** Only those who subscribed to this part of the topic. */
  readonly subtopic?: string
}

/** Called once per broadcast and subscriber: must be quick and must not throw. */
export interface Subscriber {
  readonly receive: (broadcast: Broadcast) => void
  /** Something on its topic cannot be told any more. */
  readonly onGap?: () => void
}

export class Topics extends Context.Service<
  Topics,
  {
    /** From now until `unsubscribe`. Synchronous, so that nothing passes between a decision and the subscription. */
    readonly subscribe: (topic: string, subscriber: Subscriber, subtopic?: string) => void
    readonly unsubscribe: (topic: string, subscriber: Subscriber, subtopic?: string) => void
    /** To every subscriber on every node. */
    readonly broadcast: (
      topic: string,
      event: string,
      payload: Payload,
      options?: BroadcastOptions,
    ) => Effect.Effect<void>
    /** To the subscribers on this node. Synchronous. */
    readonly deliver: (topic: string, event: string, payload: Payload, options?: BroadcastOptions) => void
    /**
     * Returns once what is broadcast on other nodes reaches this node's subscribers, or when the bus is away. Who reads a
     * topic's history waits for this first.
     */
    readonly awaitReady: (topic: string) => Effect.Effect<void>
    /** Tells the subscribers on this node that they miss something. */
    readonly reportGap: (topic: string) => void
    /** Calls the listener when the last subscriber of a topic on this node has left, until the scope closes. */
    readonly onVacated: (listener: (topic: string) => void) => Effect.Effect<void, never, Scope.Scope>
    /** Subscribers on this node. */
    readonly subscriberCount: (topic: string) => number
    /** Since the start, on this node. */
    readonly counts: { readonly broadcasts: number; readonly deliveries: number }
  }
>()("@armoricore/realtime/Topics") {
  /** On one node. */
  static readonly layer = Layer.sync(Topics, () => makeLocal())
}

/** The topics of this node alone. */
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

/** No topic that a client may name has a line break. */
const keyOf = (topic: string, subtopic: string | undefined): string =>
  subtopic === undefined ? topic : `${topic}\n${subtopic}`
