/** Audiences: named sets of users that one request notifies. */
import { Schema } from "effect"

export const AudienceName = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9_-]{1,64}$/u, { expected: "a name of 1 to 64 characters of A-Z a-z 0-9 _ -" }),
)

/** Members are spread over so many documents by the hash of their id. */
export const audienceShards = 1_024

/** The members of one shard, ascending. */
export const AudienceShard = Schema.Struct({ user_ids: Schema.Array(Schema.String) })
export type AudienceShard = typeof AudienceShard.Type

/** Lanes of a send run concurrently; lane `n` of `l` takes the shards n, n + l, n + 2l, … */
export const AudienceLane = Schema.Struct({
  /** The shard that is next. */
  shard: Schema.Int,
  /** Members up to this one of the shard are done. */
  after: Schema.String,
  /** Members that this lane has notified. */
  count: Schema.Int,
  /** The number of the chunk that is next; chunk `c` belongs to lane `c` modulo the number of lanes. Absent: see `AudienceSend`. */
  chunk: Schema.optionalKey(Schema.Int),
})

/**
 * The request to an audience, and how far it is. Only `notify` writes it. The lanes of a send in chunks have a number of the
 * next chunk (see `AudienceChunk`); without it, each member is an ordinary notification.
 */
export const AudienceSend = Schema.Struct({
  send_id: Schema.String,
  audience: Schema.String,
  status: Schema.Literals(["running", "done", "cancelled"]),
  source_event_id: Schema.String,
  request_id: Schema.optionalKey(Schema.String),
  /** The request without `audience`, as JSON. */
  payload: Schema.String,
  lanes: Schema.Array(AudienceLane),
  /** The key of the MAC in the delivery ids of members in chunks, so that a repetition has the same ids. */
  id_key: Schema.optionalKey(Schema.String),
  /** Chunks behind their lane's position that have members without a final state. */
  waiting: Schema.optionalKey(Schema.Array(Schema.Struct({ chunk: Schema.Int, open: Schema.Int }))),
  started_at: Schema.String,
  updated_at: Schema.String,
})
export type AudienceSend = typeof AudienceSend.Type

/** Members that were notified so far. */
export const membersOf = ({ lanes, waiting = [] }: AudienceSend): number =>
  lanes.reduce((sum, { count }) => sum + count, 0) - waiting.reduce((sum, { open }) => sum + open, 0)

/** 100 only when the send is done. */
export const percentOf = ({ lanes, status }: AudienceSend): number => {
  const doneShards = lanes.reduce(
    (sum, { shard }, lane) => sum + (Math.min(shard, audienceShards) - lane) / lanes.length,
    0,
  )
  return status === "done" ? 100 : Math.floor((99 * doneShards) / audienceShards)
}
