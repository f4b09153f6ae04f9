/** The changes of a chunk's document, and the events that follow from it. Nothing here reads or writes the state. */
import {
  type AudienceChunk,
  type ChunkMember,
  type ChunkResult,
  isEnded,
  memberIdsOf,
  summariesOf,
} from "@armoricore/domain/AudienceChunk"
import type { DeliverySummary } from "@armoricore/domain/events/notification"
import { isSentStatus, NotificationChannel } from "@armoricore/domain/NotificationState"
import { emit, type ResultMessage } from "@armoricore/worker/ResultMessage"
import { Schema } from "effect"
import { finalEvent } from "../request/NotificationChanges.ts"
import { platformOf } from "../request/Target.ts"

/** The final state of one target. */
export interface TargetResult {
  readonly summary: DeliverySummary
  /** Identifies the target among those of the member; undefined: it is the only one. */
  readonly target: string | undefined
  /** The hash of a target that is invalid for ever. */
  readonly invalidHash?: string
  /** Epoch milliseconds. */
  readonly invalidSince?: number
}

/** The change of one member. */
export interface MemberUpdate {
  readonly index: number
  readonly results?: ReadonlyArray<TargetResult>
  /** Targets without a final state; 0: the member's notification has ended. */
  readonly openTargets: number
  /** Failed attempts in addition to those before. */
  readonly failedAttempts?: number
  /** Epoch milliseconds. */
  readonly notBefore?: number
  /** The member has no target. */
  readonly error?: { readonly code: string; readonly message: string }
  /** The notification has a document of its own now. */
  readonly isOwn?: true
}

/** The document after the changes of members; `now` is when they end, epoch milliseconds. Erased members and those that had ended stay as they are. */
export const apply = (chunk: AudienceChunk, updates: ReadonlyArray<MemberUpdate>, now: number): AudienceChunk => {
  const kinds = [...chunk.kinds]
  const kindAt = new Map(kinds.map((kind, at) => [keyOfKind(kind), at]))
  const errors = [...chunk.errors]
  const members = [...chunk.members]
  const kindOf = ({ provider_id: _id, ...kind }: DeliverySummary): number => {
    const key = keyOfKind(kind)
    const known = kindAt.get(key)
    if (known !== undefined) return known
    kindAt.set(key, kinds.length)
    return kinds.push(kind) - 1
  }
  const errorOf = (error: { readonly code: string; readonly message: string }): number => {
    const known = errors.findIndex(({ code, message }) => code === error.code && message === error.message)
    return known === -1 ? errors.push(error) - 1 : known
  }
  const resultOf = ({ invalidHash, invalidSince, summary, target }: TargetResult): ChunkResult => ({
    k: kindOf(summary),
    ...(summary.provider_id === undefined ? {} : { i: summary.provider_id }),
    ...(target === undefined ? {} : { t: target }),
    ...(invalidHash === undefined ? {} : { d: invalidHash }),
    ...(invalidSince === undefined ? {} : { s: invalidSince }),
  })
  for (const { error, failedAttempts = 0, index, isOwn, notBefore, openTargets, results = [] } of updates) {
    const before = members[index]
    if (before === undefined || isEnded(before)) continue
    const known = new Set(before.r?.map(({ t }) => t))
    const added = results.filter(({ target }) => !known.has(target)).map(resultOf)
    const attempts = (before.a ?? 0) + failedAttempts
    const next = Math.max(before.n ?? 0, notBefore ?? 0)
    members[index] = {
      u: before.u,
      ...(added.length === 0 && before.r === undefined ? {} : { r: [...(before.r ?? []), ...added] }),
      ...(error === undefined ? {} : { x: errorOf(error) }),
      ...(isOwn === true ? { o: 1 } : openTargets === 0 ? { e: now } : {}),
      ...(attempts === 0 || openTargets === 0 ? {} : { a: attempts }),
      ...(next === 0 || openTargets === 0 ? {} : { n: next }),
    }
  }
  return { ...chunk, kinds, errors, members, updated_at: new Date(now).toISOString() }
}

const keyOfKind = ({ channel, provider, reason = "", status }: DeliverySummary): string =>
  `${channel}|${provider}|${status}|${reason}`

/** The document without anything about the user. The index stays, because the ids of other members contain theirs. */
export const withoutUser = (chunk: AudienceChunk, userId: string): AudienceChunk | undefined => {
  if (!chunk.members.some(({ u }) => u === userId)) return undefined
  return { ...chunk, members: chunk.members.map((member) => (member.u === userId ? { u: "" } : member)) }
}

/** A member with the events of its notification. */
export interface MemberEvents {
  readonly memberId: string
  readonly events: ReadonlyArray<ResultMessage>
}

/** The events of the members that ended after `from`, epoch milliseconds. They are the same each time. */
export const eventsAfter = (chunk: AudienceChunk, from: number): ReadonlyArray<MemberEvents> => {
  const idAt = memberIdsOf(chunk.send_id, chunk.chunk)
  return chunk.members.flatMap((member, index) =>
    member.u === "" || member.e === undefined || member.e <= from ? [] : [eventsOf(chunk, member, idAt(index))],
  )
}

const eventsOf = (chunk: AudienceChunk, member: ChunkMember, memberId: string): MemberEvents => {
  const summaries = summariesOf(chunk, member)
  const error = member.x === undefined ? undefined : chunk.errors[member.x]
  const final = finalEvent({
    user_id: member.u,
    notification_id: memberId,
    notification_type: chunk.notification_type,
    status: summaries.some(({ status }) => isSentStatus(status)) ? "sent" : "failed",
    ...(error === undefined ? {} : { error }),
    ended_at: new Date(member.e ?? 0).toISOString(),
    updated_at: chunk.updated_at,
    deliveries: summaries.map((summary) => ({ summary })),
  })
  return { memberId, events: [...invalidTokensOf(chunk, member, memberId), ...final] }
}

const isChannel = Schema.is(NotificationChannel)
const platformOfChannel = (channel: string): string => (isChannel(channel) ? platformOf(channel) : "")

/** `device.token_invalid` of each target that its provider no longer accepts. */
const invalidTokensOf = (chunk: AudienceChunk, { r = [], u }: ChunkMember, memberId: string) =>
  r.flatMap(({ d, k, s }) => {
    const kind = chunk.kinds[k]
    if (d === undefined || kind === undefined) return []
    const payload = {
      user_id: u,
      platform: platformOfChannel(kind.channel),
      token_hash: d,
      reason: kind.reason ?? "dead",
      ...(s === undefined ? {} : { invalid_since: new Date(s).toISOString() }),
    }
    return [emit("device.token_invalid", payload, `${memberId}.${d}`)]
  })

/** Identifies a target among those of its member: a part of the MAC in the delivery's id. */
export const targetKeyOf = (deliveryId: string): string => deliveryId.slice(-12)
