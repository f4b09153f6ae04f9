/** Reads notifications with the attempts of their deliveries, for the views of users and of workflow runs. */
import { isOpenStatus, type NotificationState, type DeliveryEntry } from "@armoricore/domain/NotificationState"
import { makeReader, type MemberNotification } from "@armoricore/state/AudienceChunks"
import * as Collection from "@armoricore/state/Collection"
import { deliveryStates, notificationStates } from "@armoricore/state/NotificationStates"
import type { StateError } from "@armoricore/state/KeyValue"
import { Effect, Option } from "effect"
import type { DeliveryInfo, NotificationInfo } from "./api/Notification.ts"

const maxDeliveries = 20

export const make = Effect.gen(function* () {
  const notifications = yield* Collection.make(notificationStates)
  const deliveries = yield* Collection.make(deliveryStates)

  const memberOf = yield* makeReader

  /** A delivery that ended with its first call has no document of its own. */
  const deliveryOf = ({ delivery_id, first_call, summary, target }: DeliveryEntry) =>
    Effect.map(deliveries.get(delivery_id), (found): DeliveryInfo => {
      const state = Option.getOrUndefined(found)?.value
      const provider = state?.provider ?? summary?.provider ?? first_call?.provider
      const provider_id = state?.provider_id ?? summary?.provider_id
      const reason = state?.reason ?? summary?.reason
      const { not_before = 0 } = state ?? {}
      const status = summary?.status ?? state?.status ?? (first_call === undefined ? "pending" : "sending")
      const wasCalled = first_call !== undefined || (provider !== undefined && provider !== "none")
      return {
        channel: target.channel,
        status,
        attempts: state?.attempt ?? (wasCalled ? 1 : 0),
        ...(provider === undefined ? {} : { provider }),
        ...(reason === undefined ? {} : { reason }),
        ...(state?.message === undefined ? {} : { message: state.message }),
        ...(provider_id === undefined ? {} : { provider_id }),
        ...(not_before > 0 && state !== undefined && isOpenStatus(state.status)
          ? { next_attempt_at: new Date(not_before).toISOString() }
          : {}),
      }
    })

  const infoOf = Effect.fnUntraced(function* (state: NotificationState) {
    const { content, deliveries: entries, error, notification_id, notification_type, requested_at, status } = state
    return {
      notification_id,
      notification_type,
      status,
      title: content.title,
      requested_at: new Date(requested_at).toISOString(),
      ...(error === undefined ? {} : { error: error.message }),
      deliveries: yield* Effect.forEach(entries.slice(0, maxDeliveries), deliveryOf, { concurrency: 8 }),
      delivery_count: entries.length,
    } satisfies NotificationInfo
  })

  /** Undefined: it does not exist any more. */
  return {
    get: (id: string) =>
      Effect.flatMap(notifications.get(id), (found): Effect.Effect<NotificationInfo | undefined, StateError> =>
        Option.isSome(found)
          ? infoOf(found.value.value)
          : Effect.map(memberOf(id), (member) => (member === undefined ? undefined : memberInfoOf(member))),
      ),
  }
})

/** A member of an audience: the title is that of the send. */
const memberInfoOf = (member: MemberNotification): NotificationInfo => {
  const { deliveries, error, notification_id, notification_type, requested_at, status } = member
  return {
    notification_id,
    notification_type,
    status,
    title: "",
    requested_at: new Date(requested_at).toISOString(),
    ...(error === undefined ? {} : { error: error.message }),
    deliveries: deliveries
      .slice(0, maxDeliveries)
      .map((summary) => ({ ...summary, attempts: summary.provider === "none" ? 0 : 1 })),
    delivery_count: deliveries.length,
  }
}
