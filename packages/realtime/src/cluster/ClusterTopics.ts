/**
 * Topics over many nodes. A broadcast goes out on a subject of its topic, and a node listens to the topics that it has
 * subscribers of, so that it hears of no others. The sender delivers its own when it hears itself, as everybody else does:
 * so all nodes have the same order.
 *
 * While the bus is away a broadcast is delivered to this node's subscribers at once, and told to the others when the bus is
 * back. One that was on its way when the bus went is treated the same: others may get it twice, nobody loses it. What a
 * node missed while it was cut off it asks the others for (`RecentBroadcasts`). (What has a `seq` does not come this way,
 * see `RoomFeeds`.)
 */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { Effect, Layer } from "effect"
import { createHash } from "node:crypto"
import { type BroadcastOptions, hub, Topics } from "../Topics.ts"
import type { Payload } from "../protocol/Message.ts"
import { Cluster } from "./Cluster.ts"
import * as Lingering from "./Lingering.ts"
import * as RecentBroadcasts from "./RecentBroadcasts.ts"
import * as RoomMessage from "./RoomMessage.ts"

interface Sent {
  readonly topic: string
  readonly event: string
  readonly payload: Payload
  readonly options: BroadcastOptions | undefined
}

/** Kept for the others while the bus is away. */
const maxKept = 10_000

export const layer: Layer.Layer<Topics, never, Cluster | EventBus> = Layer.effect(
  Topics,
  Effect.gen(function* () {
    const bus = yield* EventBus
    const cluster = yield* Cluster
    const local = hub()
    const recent = yield* RecentBroadcasts.make(({ topic, event, payload, part }) =>
      local.deliver(topic, event, payload, part === undefined ? {} : { part }),
    )
    /** Sent, and not heard of yet. */
    const sent = new Map<number, Sent>()
    let kept: Array<Sent> = []
    let count = 0

    const deliver = ({ topic, event, payload, options }: Sent) => local.deliver(topic, event, payload, options)

    const hear = (topic: string, body: Uint8Array): void => {
      const message = RoomMessage.decode(body)
      if (message === undefined) return
      const { event, payload, droppable, seq, part } = message
      const options = { droppable, ...(seq === undefined ? {} : { seq }), ...(part === undefined ? {} : { part }) }
      if (message.node !== cluster.node) {
        if (!droppable && !recent.hear(message.node, message.id)) return
        return local.deliver(topic, event, payload, options)
      }
      const own = sent.get(message.id)
      sent.delete(message.id)
      if (own !== undefined && message.isEchoed) deliver({ ...own, payload })
    }

    const rooms = yield* Lingering.make({
      acquire: (topic) => bus.listen(addressOf(topic), ({ body }) => hear(topic, body)),
      isWanted: (topic) => local.size(topic) > 0,
      isConnected: cluster.isConnected,
    })

    const keep = (message: Sent): void => {
      if (message.options?.droppable === true || kept.length >= maxKept) return
      kept.push(message)
    }

    const publish = ({ topic, event, payload, options }: Sent, id: number, isEchoed: boolean) =>
      Effect.tap(
        bus.broadcast(
          addressOf(topic),
          RoomMessage.encode({
            node: cluster.node,
            id,
            isEchoed,
            event,
            payload,
            droppable: options?.droppable === true,
            seq: options?.seq,
            part: options?.part,
          }),
        ),
        () =>
          Effect.sync(() => {
            if (options?.droppable !== true) recent.said(id, { topic, event, payload, part: options?.part })
          }),
      )

    const sendOn = (message: Sent, id: number, isEchoed: boolean): Effect.Effect<void> =>
      Effect.catch(publish(message, id, isEchoed), (error) =>
        Effect.suspend(() => {
          if (sent.delete(id)) deliver(message)
          if (error._tag === "TransientError") return Effect.sync(() => keep(message))
          return Effect.logError(`${message.event} on ${message.topic} reaches this node alone: ${error.message}`)
        }),
      )

    const broadcast = (message: Sent): Effect.Effect<void> => {
      const { topic } = message
      // Where this node does not listen yet it would not hear itself.
      const isEchoed = rooms.isReady(topic)
      const id = ++count
      if (!cluster.isConnected()) {
        deliver(message)
        return Effect.sync(() => keep(message))
      }
      if (isEchoed) sent.set(id, message)
      else deliver(message)
      return sendOn(message, id, isEchoed)
    }

    yield* cluster.onDisconnect(() => {
      const unheard = [...sent.values()]
      sent.clear()
      for (const message of unheard) {
        deliver(message)
        keep(message)
      }
    })
    const run = Effect.runForkWith(yield* Effect.context<never>())
    yield* cluster.onReconnect(() => {
      const waiting = kept
      kept = []
      run(Effect.forEach(waiting, (message) => sendOn(message, ++count, false), { discard: true }))
    })

    return {
      ...local,
      subscribe: (topic, subscriber, part) => {
        local.subscribe(topic, subscriber, part)
        rooms.open(topic)
      },
      broadcast: (topic, event, payload, options) =>
        Effect.suspend(() => broadcast({ topic, event, payload, options })),
      ready: rooms.ready,
    }
  }),
)

/** Topics of our channels are good subjects as they are; any other is named by its hash. */
const addressOf = (topic: string): Address.LiveAddress =>
  Address.live(
    /^[A-Za-z0-9_:-]{1,200}$/.test(topic)
      ? `room.${topic}`
      : `room-hash.${createHash("sha256").update(topic).digest("base64url")}`,
  )
