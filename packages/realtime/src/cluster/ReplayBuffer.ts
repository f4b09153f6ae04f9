/**
 * What nodes broadcast for good not long ago (that moderation took a message away), for a node that was cut off meanwhile:
 * when it is back it asks all others, and tells its sockets what it has not heard.
 */
import { Clock, Effect, Schema } from "effect"
import * as MonotonicClock from "@armoricore/worker/MonotonicClock"
import type { Payload } from "../protocol/Message.ts"
import { Cluster, allNodes } from "./Cluster.ts"

const kinds = { missed: "rooms.missed", recent: "rooms.recent" } as const

/** So many, and no older: a longer cut than this is a client's to notice. */
const maxRecorded = 1000
const maxAge = 10 * 60_000
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
  /** This node said it to all. */
  readonly record: (id: number, said: RecordedBroadcast) => void
  /** Another node said it. False: it was heard before. */
  readonly markSeen: (node: string, id: number) => boolean
}

export const make = Effect.fnUntraced(function* (deliver: (said: RecordedBroadcast) => void) {
  const cluster = yield* Cluster
  const clock = yield* Clock.Clock
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const recorded = new Map<number, { readonly said: RecordedBroadcast; readonly at: number }>()
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
    const since = MonotonicClock.millis(clock) - maxAge
    const recent = Array.from(recorded, ([id, { at, said }]) => ({ id, at, ...said }))
      // Bytes are no JSON; nobody is told of a message's end in bytes.
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
    record: (id, said) => {
      recorded.set(id, { said, at: MonotonicClock.millis(clock) })
      const [oldest] = recorded.keys()
      if (recorded.size > maxRecorded && oldest !== undefined) recorded.delete(oldest)
    },
    markSeen,
  } satisfies ReplayBuffer
})
