/**
 * Replay of recent broadcasts that are in no history (for example a removal by moderation) to a node that was partitioned:
 * on its reconnect it requests them from all other nodes, and delivers those that it had not received.
 */
import { Clock, Effect, Schema } from "effect"
import * as MonotonicClock from "@armoricore/worker/MonotonicClock"
import type { Payload } from "../protocol/Message.ts"
import { Cluster, allNodes } from "./Cluster.ts"

const kinds = { missed: "rooms.missed", recent: "rooms.recent" } as const

/** A longer partition loses older broadcasts; clients notice it by their own reconnects. */
const maxRecorded = 1000
const maxAgeMillis = 10 * 60_000
const maxSeen = 10_000

export interface RecordedBroadcast {
  readonly topic: string
  readonly event: string
  readonly payload: Payload
  readonly subtopic: string | undefined
}

const Recent = Schema.Array(
  Schema.Struct({
    id: Schema.Int,
    topic: Schema.String,
    event: Schema.String,
    payload: Schema.Record(Schema.String, Schema.Unknown),
    subtopic: Schema.optionalKey(Schema.String),
  }),
)

export interface ReplayBuffer {
  /** Records a broadcast that this node published. */
  readonly record: (id: number, broadcast: RecordedBroadcast) => void
  /** Records a broadcast of another node. False if it was received before. */
  readonly markSeen: (node: string, id: number) => boolean
}

export const make = Effect.fnUntraced(function* (deliver: (broadcast: RecordedBroadcast) => void) {
  const cluster = yield* Cluster
  const clock = yield* Clock.Clock
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const recorded = new Map<number, { readonly broadcast: RecordedBroadcast; readonly at: number }>()
  const seen = new Set<string>()

  const markSeen = (node: string, id: number): boolean => {
    const key = `${node} ${id}`
    if (seen.has(key)) return false
    seen.add(key)
    const [oldest] = seen
    if (seen.size > maxSeen && oldest !== undefined) seen.delete(oldest)
    return true
  }

  yield* cluster.on(kinds.missed, Schema.Null, ({ from }) => {
    const since = MonotonicClock.millis(clock) - maxAgeMillis
    const recent = Array.from(recorded, ([id, { at, broadcast }]) => ({ id, at, ...broadcast }))
      // A binary payload has no JSON form and is not replayed.
      .filter(({ at, payload }) => at > since && !(payload instanceof Uint8Array))
      .map(({ id, topic, event, payload, subtopic }) => ({
        id,
        topic,
        event,
        payload,
        ...(subtopic === undefined ? {} : { subtopic }),
      }))
    if (recent.length > 0) run(cluster.send(from, kinds.recent, recent))
  })
  yield* cluster.on(kinds.recent, Recent, ({ from, value }) => {
    for (const { id, topic, event, payload, subtopic } of value)
      if (markSeen(from, id)) deliver({ topic, event, payload, subtopic })
  })
  yield* cluster.onReconnect(() => void run(cluster.send(allNodes, kinds.missed, null)))

  return {
    record: (id, broadcast) => {
      recorded.set(id, { broadcast, at: MonotonicClock.millis(clock) })
      const [oldest] = recorded.keys()
      if (recorded.size > maxRecorded && oldest !== undefined) recorded.delete(oldest)
    },
    markSeen,
  } satisfies ReplayBuffer
})
