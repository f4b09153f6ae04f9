/**
 * What nodes broadcast for good not long ago (that moderation took a message away), for a node that was cut off meanwhile:
 * when it is back it asks all others, and tells its sockets what it has not heard.
 */
import { Clock, Effect, Schema } from "effect"
import * as Elapsed from "../Elapsed.ts"
import type { Payload } from "../protocol/Message.ts"
import { Cluster, everybody } from "./Cluster.ts"

const kinds = { missed: "rooms.missed", recent: "rooms.recent" } as const

/** So many, and no older: a longer cut than this is a client's to notice. */
const maxKept = 1000
const maxAge = 10 * 60_000
const maxHeard = 10_000

export interface Said {
  readonly topic: string
  readonly event: string
  readonly payload: Payload
  readonly part: string | undefined
}

const Recent = Schema.Array(
  Schema.Struct({
    id: Schema.Int,
    topic: Schema.String,
    event: Schema.String,
    payload: Schema.Record(Schema.String, Schema.Unknown),
    part: Schema.optionalKey(Schema.String),
  }),
)

export interface RecentBroadcasts {
  /** This node said it to all. */
  readonly said: (id: number, said: Said) => void
  /** Another node said it. False: it was heard before. */
  readonly hear: (node: string, id: number) => boolean
}

export const make = Effect.fnUntraced(function* (deliver: (said: Said) => void) {
  const cluster = yield* Cluster
  const clock = yield* Clock.Clock
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const own = new Map<number, { readonly said: Said; readonly at: number }>()
  const known = new Set<string>()

  const hear = (node: string, id: number): boolean => {
    const key = `${node} ${id}`
    if (known.has(key)) return false
    known.add(key)
    const [oldest] = known
    if (known.size > maxHeard && oldest !== undefined) known.delete(oldest)
    return true
  }

  yield* cluster.on(kinds.missed, Schema.Null, ({ from }) => {
    const since = Elapsed.millis(clock) - maxAge
    const recent = Array.from(own, ([id, { at, said }]) => ({ id, at, ...said }))
      // Bytes are no JSON; nobody is told of a message's end in bytes.
      .filter(({ at, payload }) => at > since && !(payload instanceof Uint8Array))
      .map(({ id, topic, event, payload, part }) => ({
        id,
        topic,
        event,
        payload,
        ...(part === undefined ? {} : { part }),
      }))
    if (recent.length > 0) run(cluster.tell(from, kinds.recent, recent))
  })
  yield* cluster.on(kinds.recent, Recent, ({ from, value }) => {
    for (const { id, topic, event, payload, part } of value)
      if (hear(from, id)) deliver({ topic, event, payload, part })
  })
  yield* cluster.onReconnect(() => void run(cluster.tell(everybody, kinds.missed, null)))

  return {
    said: (id, said) => {
      own.set(id, { said, at: Elapsed.millis(clock) })
      const [oldest] = own.keys()
      if (own.size > maxKept && oldest !== undefined) own.delete(oldest)
    },
    hear,
  } satisfies RecentBroadcasts
})
