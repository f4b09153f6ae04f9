/** The chunks of sends to audiences: written by `notify`; `api` and operators read the notifications of members in them. */
import { AudienceChunk, isEnded, memberPlaceOf, summariesOf } from "@armoricore/domain/AudienceChunk"
import type { DeliverySummary, NotificationType } from "@armoricore/domain/events/notification"
import { isSentStatus } from "@armoricore/domain/NotificationState"
import { Duration, Effect, Option } from "effect"
import * as Collection from "./Collection.ts"

export const audienceChunks: Collection.Descriptor<AudienceChunk, typeof AudienceChunk.Encoded> = {
  bucket: { name: "audience_chunk", maxAge: Duration.days(30) },
  schema: AudienceChunk,
  skipEncode: true,
}

/** The notification of one member. */
export interface MemberNotification {
  readonly notification_id: string
  readonly user_id: string
  readonly notification_type: NotificationType
  readonly status: "pending" | "sent" | "failed"
  readonly send_id: string
  readonly error?: { readonly code: string; readonly message: string }
  /** Epoch milliseconds. */
  readonly requested_at: number
  /** RFC 3339. */
  readonly ended_at?: string
  readonly updated_at: string
  /** Of the targets that have a final state. */
  readonly deliveries: ReadonlyArray<DeliverySummary>
}

/** Undefined: there is no such member, or the user was erased. */
export const memberOf = (chunk: AudienceChunk, index: number, id: string): MemberNotification | undefined => {
  const member = chunk.members[index]
  if (member === undefined || member.u === "") return undefined
  const deliveries = summariesOf(chunk, member)
  const error = member.x === undefined ? undefined : chunk.errors[member.x]
  const ended = deliveries.some(({ status }) => isSentStatus(status)) ? "sent" : "failed"
  return {
    notification_id: id,
    user_id: member.u,
    notification_type: chunk.notification_type,
    status: isEnded(member) && member.o === undefined ? ended : "pending",
    send_id: chunk.send_id,
    ...(error === undefined ? {} : { error }),
    requested_at: chunk.requested_at,
    ...(member.e === undefined ? {} : { ended_at: new Date(member.e).toISOString() }),
    updated_at: chunk.updated_at,
    deliveries,
  }
}

/** Reads the notification of a member by its id. Only for ids without a document of their own in `notification`. */
export const makeReader = Effect.map(Collection.make(audienceChunks), (chunks) =>
  Effect.fnUntraced(function* (id: string) {
    const place = memberPlaceOf(id)
    if (place === undefined) return undefined
    const found = Option.getOrUndefined(yield* chunks.get(place.key))
    return found === undefined ? undefined : memberOf(found.value, place.index, id)
  }),
)
