/**
 * A chunk of the members of an audience that one request notifies: the unit that a send stores, repeats and continues. Its
 * document has the state of each member in a compact form. Only `notify` writes it.
 *
 * A member's notification has no document of its own. Its id names its place: the send, the chunk and the index in it.
 */
import { Schema } from "effect"
import { sha256 } from "./DeterministicId.ts"
import type { DeliverySummary } from "./events/notification.ts"
import { NotificationType } from "./events/notification.ts"
import { StoredDeliverySummary } from "./NotificationState.ts"

/** Members of one chunk. The document must fit into one message of the bus. */
export const chunkMembers = 500

/** The result of one target: the index of its kind in `kinds`, and the provider's id. */
const ChunkResult = Schema.Struct({
  k: Schema.Int,
  i: Schema.optionalKey(Schema.String),
  /** Identifies the target among several of the member; absent: the member has only one. */
  t: Schema.optionalKey(Schema.String),
  /** The hash of the token, number or URL if it is invalid for ever. */
  d: Schema.optionalKey(Schema.String),
  /** Since when, epoch milliseconds. */
  s: Schema.optionalKey(Schema.Finite),
})
export type ChunkResult = typeof ChunkResult.Type

/** The names are short because a document has hundreds. */
export const ChunkMember = Schema.Struct({
  /** The user; empty once the user was erased. */
  u: Schema.String,
  /** Results of targets. */
  r: Schema.optionalKey(Schema.Array(ChunkResult)),
  /** When every target had its final state, epoch milliseconds. */
  e: Schema.optionalKey(Schema.Finite),
  /** Failed attempts so far. */
  a: Schema.optionalKey(Schema.Int),
  /** Not sent before, epoch milliseconds: Retry-After, backoff, or the end of the user's quiet hours. */
  n: Schema.optionalKey(Schema.Finite),
  /** The index of the error in `errors`: the member has no target. */
  x: Schema.optionalKey(Schema.Int),
  /** 1: the notification has a document of its own under the member's id, which says the rest. */
  o: Schema.optionalKey(Schema.Literal(1)),
})
export type ChunkMember = typeof ChunkMember.Type

export const AudienceChunk = Schema.Struct({
  send_id: Schema.String,
  /** The number of the chunk in its send. */
  chunk: Schema.Int,
  notification_type: NotificationType,
  /** Epoch milliseconds. */
  requested_at: Schema.Finite,
  updated_at: Schema.String,
  /** The different results, each stored once, without the ids of providers. */
  kinds: Schema.Array(StoredDeliverySummary),
  errors: Schema.Array(Schema.Struct({ code: Schema.String, message: Schema.String })),
  members: Schema.Array(ChunkMember),
  /** The events of members that ended up to this time are published, epoch milliseconds. */
  published_to: Schema.optionalKey(Schema.Finite),
})
export type AudienceChunk = typeof AudienceChunk.Type

/** The send, in the keys of its chunks and in the ids of its members. */
const sendKeyOf = (sendId: string): string => sha256(`audience-send:${sendId}`).slice(0, 22)

const keyOf = (sendKey: string, chunk: number): string => `${sendKey}.${String(chunk).padStart(7, "0")}`

/** The key of the document of a chunk. */
export const chunkKeyOf = (sendId: string, chunk: number): string => keyOf(sendKeyOf(sendId), chunk)

export interface MemberPlace {
  readonly key: string
  readonly chunk: number
  readonly index: number
}

/**
 * A UUID of version 8 with 88 bits of the send, 22 bits of the number of the chunk and 12 bits of the index:
 * `ssssssss-ssss-8ccc-vcci-iissssssssss`, with two bits of the number in `v`.
 */
export const memberIdOf = (sendId: string, chunk: number, index: number): string => memberIdsOf(sendId, chunk)(index)

/** {@link memberIdOf} for many members of a chunk. */
export const memberIdsOf = (sendId: string, chunk: number): ((index: number) => string) => {
  const send = sendKeyOf(sendId)
  const low = (0x800 | (chunk % 1_024)).toString(16)
  const first = `${send.slice(0, 8)}-${send.slice(8, 12)}-8${hex(Math.floor(chunk / 1_024), 3)}-${low}`
  const last = send.slice(12)
  return (index) => {
    const at = hex(index, 3)
    return `${first}${at[0]}-${at.slice(1)}${last}`
  }
}

/** Where the notification would be stored if this is the id of a member; undefined: it is none. */
export const memberPlaceOf = (id: string): MemberPlace | undefined => {
  const [, a, b, high, low, at0, at, c] =
    /^([0-9a-f]{8})-([0-9a-f]{4})-8([0-9a-f]{3})-([89ab][0-9a-f]{2})([0-9a-f])-([0-9a-f]{2})([0-9a-f]{10})$/.exec(id) ??
    []
  if (high === undefined || low === undefined) return undefined
  const chunk = Number.parseInt(high, 16) * 1_024 + (Number.parseInt(low, 16) & 0x3ff)
  return { key: keyOf(`${a}${b}${c}`, chunk), chunk, index: Number.parseInt(`${at0}${at}`, 16) }
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")

/** Every target of the member has its final state, or the member has a document of its own. */
export const isEnded = ({ e, o, u }: ChunkMember): boolean => e !== undefined || o !== undefined || u === ""

/** Members without a final state. */
export const openMembers = ({ members }: AudienceChunk): number =>
  members.reduce((sum, member) => (isEnded(member) ? sum : sum + 1), 0)

/** The results of a member, as events and states show them. */
export const summariesOf = (
  { kinds }: Pick<AudienceChunk, "kinds">,
  { r = [] }: ChunkMember,
): ReadonlyArray<DeliverySummary> =>
  r.flatMap(({ i, k }) => {
    const kind = kinds[k]
    return kind === undefined ? [] : [{ ...kind, ...(i === undefined ? {} : { provider_id: i }) }]
  })
