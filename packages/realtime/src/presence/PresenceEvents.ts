/** What a channel with presence declares, and what its join does. */
import { PresenceStatus } from "@armoricore/domain/events/realtime"
import { Timestamp } from "@armoricore/domain/JsonCodecs"
import { Effect, Schema } from "effect"
import type { Declaration, Membership } from "../channel/Channel.ts"
import { subtopic, type Presence } from "./Presence.ts"

const Meta = Schema.Struct({
  phx_ref: Schema.String,
  phx_ref_prev: Schema.optionalKey(Schema.String),
  status: PresenceStatus,
  online_at: Timestamp,
})

/** By user id; the shapes that the official client's `Presence` class reads. */
const State = Schema.Record(Schema.String, Schema.Struct({ metas: Schema.Array(Meta) }))

export const events = {
  presence_state: { payload: State },
  /** A reader that loses some is sent the latest `presence_state`. */
  presence_diff: { payload: Schema.Struct({ joins: State, leaves: State }), droppable: true },
  /** Instead of both, in a room too large to be listed. */
  presence_count: { payload: Schema.Struct({ count: Schema.Int }), droppable: true },
} as const

type RequiredMembers = "topic" | "identity" | "push" | "listen"

/** Makes the member present, and sends it the state: also when it is empty, for clients keep diffs until it comes. */
export const trackMember = Effect.fnUntraced(function* (
  presence: Presence["Service"],
  member: Pick<Membership<Declaration & { readonly server: typeof events }, undefined>, RequiredMembers>,
  status: typeof PresenceStatus.Type,
) {
  yield* member.listen(subtopic)
  const present = yield* presence.track(member.topic, member.identity.userId, status)
  yield* member.push("presence_state", presence.state(member.topic))
  const count = presence.count(member.topic)
  if (count !== undefined) yield* member.push("presence_count", { count })
  return present
})
