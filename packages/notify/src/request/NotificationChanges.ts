/** The changes of a notification's document, and the events that follow from it. Nothing here reads or writes the state. */
import type { DeliverySummary } from "@armoricore/domain/events/notification"
import {
  type DeliveryEntry,
  isSentStatus,
  type NotificationState,
  statusRank,
} from "@armoricore/domain/NotificationState"
import { emit, type ResultMessage } from "@armoricore/worker/ResultMessage"

/** The new summary of the delivery at `index`. */
export interface DeliveryUpdate {
  readonly index: number
  readonly summary: DeliverySummary
  /** The target is permanently invalid. */
  readonly targetInvalid?: boolean | undefined
  /** Epoch milliseconds. */
  readonly invalidSince?: number | undefined
  /**
   * Set for a later report of the provider. A report returns the final event only if it makes the notification final.
   */
  readonly report?: true
}

/** The updates of one delivery's end. */
export interface UpdateGroup {
  readonly updates: ReadonlyArray<DeliveryUpdate>
}

/** Returns the same object if nothing changes. */
export const merge = (state: NotificationState, batch: ReadonlyArray<UpdateGroup>, now: string): NotificationState =>
  mergeUpdates(
    state,
    batch.flatMap(({ updates }) => updates),
    now,
  )

export const mergeUpdates = (
  state: NotificationState,
  updates: ReadonlyArray<DeliveryUpdate>,
  now: string,
): NotificationState => {
  const deliveries = [...state.deliveries]
  let changed = false
  let reportKey: string | undefined
  for (const { index, invalidSince, report, summary, targetInvalid } of updates) {
    const planned = deliveries[index]
    if (planned === undefined) continue
    const before = planned.summary
    if (before !== undefined && statusRank(summary.status) <= statusRank(before.status)) continue
    // The reason of the earlier status does not explain the new one.
    const { reason: _reason, ...rest } = before ?? {}
    const { first_call: _call, invalid_since: _since, target_invalid: _invalid, ...unchanged } = planned
    deliveries[index] = {
      ...unchanged,
      summary: { ...rest, ...summary },
      ...(targetInvalid === true ? { target_invalid: true } : {}),
      ...(invalidSince === undefined ? {} : { invalid_since: invalidSince }),
    }
    changed = true
    if (report === true) reportKey = reportKeyOf(planned, summary)
  }
  const status = statusOf(state, deliveries)
  if (!changed && status === state.status) return state
  return {
    ...state,
    deliveries,
    status,
    ...(status === "pending" || status === state.status ? {} : { ended_at: now }),
    ...(status === state.status || reportKey === undefined ? {} : { ended_by_report: reportKey }),
    updated_at: now,
  }
}

const reportKeyOf = ({ delivery_id }: DeliveryEntry, { status }: DeliverySummary): string => `${delivery_id}.${status}`

const statusOf = (
  state: NotificationState,
  deliveries: NotificationState["deliveries"],
): NotificationState["status"] => {
  if (!deliveries.every(({ summary }) => summary !== undefined)) return state.status
  return deliveries.some(({ summary }) => isSentStatus(summary?.status ?? "")) ? "sent" : "failed"
}

/** A late report of a final notification returns no event. A repetition of the update that made it final does. */
export const repeatedFinalEvent = (
  state: NotificationState,
  batch: ReadonlyArray<UpdateGroup>,
): ReadonlyArray<ResultMessage> =>
  batch.some(({ updates }) => updates.every((update) => update.report !== true || endedNotification(state, update)))
    ? finalEvent(state)
    : []

const endedNotification = (state: NotificationState, { index, summary }: DeliveryUpdate): boolean => {
  const planned = state.deliveries[index]
  return planned !== undefined && state.ended_by_report === reportKeyOf(planned, summary)
}

/** The fields of a notification that its final event needs. */
export type Ended = Pick<
  NotificationState,
  "user_id" | "notification_id" | "notification_type" | "status" | "error" | "ended_at" | "updated_at"
> & { readonly deliveries: ReadonlyArray<Pick<DeliveryEntry, "summary">> }

/** `notification.sent` or `notification.failed`. The event is the same each time it is created. */
export const finalEvent = (state: Ended): ReadonlyArray<ResultMessage> => {
  if (state.status === "pending") return []
  const about = {
    user_id: state.user_id,
    notification_id: state.notification_id,
    notification_type: state.notification_type,
  }
  const at = state.ended_at ?? state.updated_at
  const deliveries = state.deliveries.flatMap(({ summary }) => (summary === undefined ? [] : [summary]))
  return state.status === "sent"
    ? [emit("notification.sent", { ...about, sent_at: at, deliveries })]
    : [emit("notification.failed", { ...about, error: errorOf(state), failed_at: at, deliveries })]
}

const errorOf = ({ deliveries, error }: Ended) => {
  if (error !== undefined) return error
  const reasons = new Set(deliveries.map(({ summary }) => summary?.reason ?? summary?.status ?? "failed"))
  const [reason = "failed"] = reasons
  return reasons.size === 1
    ? { code: reason, message: `no delivery was sent: ${reason}` }
    : { code: "not_sent", message: `no delivery was sent: ${[...reasons].join(", ")}` }
}
