/**
 * Gives the notification of a member a document of its own under the member's id. From then on it is an ordinary one: with its
 * attempts, dead letters, replays and reversals.
 */
import { EventBus } from "@armoricore/bus/EventBus"
import type { AudienceSend } from "@armoricore/domain/Audience"
import {
  type AudienceChunk,
  type ChunkMember,
  isEnded,
  memberPlaceOf,
  summariesOf,
} from "@armoricore/domain/AudienceChunk"
import type { DeliverySummary } from "@armoricore/domain/events/notification"
import { isSentStatus, type NotificationState, type Target } from "@armoricore/domain/NotificationState"
import { audienceChunks } from "@armoricore/state/AudienceChunks"
import { audienceSends } from "@armoricore/state/Audiences"
import * as Collection from "@armoricore/state/Collection"
import { type ResultMessage, toOutboundMessage } from "@armoricore/worker/ResultMessage"
import { Effect, Option, Result } from "effect"
import * as PlannedDelivery from "../delivery/PlannedDelivery.ts"
import * as NotificationPlan from "../request/NotificationPlan.ts"
import { Notifications } from "../request/Notifications.ts"
import { hashOf } from "../request/Target.ts"
import { Templates } from "../request/Templates.ts"
import * as WorkKinds from "../WorkKinds.ts"
import type { Payload } from "./ChunkPlan.ts"
import { targetKeyOf } from "./ChunkRecord.ts"

/** A refused target of a member. */
export interface RefusedTarget {
  readonly notification_id: string
  readonly delivery_id: string
  readonly target: Target
}

const encoder = new TextEncoder()

/** `start` wrote it from a decoded request. */
export const payloadOf = ({ payload }: AudienceSend): Payload => JSON.parse(payload) as Payload

export const make = Effect.gen(function* () {
  const bus = yield* EventBus
  const notifications = yield* Notifications
  const templates = yield* Templates
  const chunks = yield* Collection.make(audienceChunks)
  const sends = yield* Collection.make(audienceSends)

  /** A repetition publishes the same messages. */
  const publish = (memberId: string, requestId: string | undefined, results: ReadonlyArray<ResultMessage>) =>
    Effect.forEach(
      results,
      (result) =>
        Effect.flatMap(toOutboundMessage("notify", { eventId: memberId, requestId }, result), ({ address, body, id }) =>
          bus.publish({ address, id, body: encoder.encode(body) }),
        ),
      { discard: true },
    )

  /** `recorded`: the results of the chunk by their keys. */
  const adopt = Effect.fnUntraced(function* (
    planned: NotificationState,
    recorded: ReadonlyMap<string, DeliverySummary>,
    failedAttempts: number,
  ) {
    const deliveries = planned.deliveries.map((entry) => {
      const summary = recorded.get(targetKeyOf(entry.delivery_id))
      return summary === undefined ? entry : { ...entry, summary }
    })
    const state = yield* notifications.create({ ...planned, deliveries })
    const open = state.deliveries.flatMap(({ summary }, index) =>
      summary === undefined ? (PlannedDelivery.of(state, index) ?? []) : [],
    )
    const results =
      open.length === 0
        ? yield* notifications.finalize(state.notification_id)
        : open.map((delivery) => WorkKinds.delivery(delivery, failedAttempts))
    yield* publish(state.notification_id, state.request_id, results)
  })

  /**
   * For a target whose refusal was recorded in a chunk and is reversed. `undefined`: there is no such member. `open`: the
   * refusal is not recorded yet.
   */
  const adoptRefused = Effect.fnUntraced(function* ({ delivery_id, notification_id, target }: RefusedTarget) {
    const place = memberPlaceOf(notification_id)
    const chunk = place === undefined ? undefined : Option.getOrUndefined(yield* chunks.get(place.key))?.value
    const member = chunk?.members[place?.index ?? -1]
    if (chunk === undefined || member === undefined || member.u === "") return undefined
    const send = Option.getOrUndefined(yield* sends.get(chunk.send_id))?.value
    if (send === undefined) return undefined
    const refused = member.r?.find(({ d }) => d === hashOf(target))
    if (refused === undefined) return isEnded(member) ? undefined : ("open" as const)
    const payload = payloadOf(send)
    const content = yield* Effect.result(
      Effect.provideService(
        NotificationPlan.renderContent({ payload }, 0, [{ target, locale: payload.locale }]),
        Templates,
        templates,
      ),
    )
    if (Result.isFailure(content)) return undefined
    const summaries = summariesOf(chunk, member)
    const [summary] = summariesOf(chunk, { u: member.u, r: [refused] })
    return yield* notifications.create({
      notification_id,
      user_id: member.u,
      notification_type: chunk.notification_type,
      status: summaries.some(({ status }) => isSentStatus(status)) ? "sent" : "failed",
      source_event_id: notification_id,
      ...(send.request_id === undefined ? {} : { request_id: send.request_id }),
      content: content.success,
      deliveries: [{ delivery_id, target, target_invalid: true, ...(summary === undefined ? {} : { summary }) }],
      requested_at: chunk.requested_at,
      ...(member.e === undefined ? {} : { ended_at: new Date(member.e).toISOString() }),
      updated_at: chunk.updated_at,
    })
  })

  return { adopt, adoptRefused }
})

/** The results of a member by the keys of their targets. */
export const recordedOf = (
  chunk: AudienceChunk,
  member: ChunkMember | undefined,
): ReadonlyMap<string, DeliverySummary> =>
  new Map(
    (member?.r ?? []).flatMap((result) => {
      const [summary] = summariesOf(chunk, { u: "", r: [result] })
      return result.t === undefined || summary === undefined ? [] : [[result.t, summary] as const]
    }),
  )
