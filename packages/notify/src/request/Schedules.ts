/**
 * Notifications that are sent later: at `send_at`, or after the user's quiet hours. The notification is stored, and its work
 * message waits in the state (see `ScheduledWork`). Preferences are applied when it is due, so that a user who switched the
 * channel off meanwhile receives nothing. Until then it can be cancelled.
 */
import { work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { deriveId } from "@armoricore/domain/DeterministicId"
import type { EventOf } from "@armoricore/domain/EventRegistry"
import type { NotificationState } from "@armoricore/domain/NotificationState"
import * as Timestamp from "@armoricore/domain/Timestamp"
import type { HandlerError } from "@armoricore/worker/Handler"
import type { ResultMessage } from "@armoricore/worker/ResultMessage"
import * as ScheduledWork from "@armoricore/worker/ScheduledWork"
import { Clock, Effect, Option, Schema } from "effect"
import * as DeliveryAttempts from "../delivery/DeliveryAttempts.ts"
import { PreferenceRules } from "../preferences/PreferenceRules.ts"
import * as WorkKinds from "../WorkKinds.ts"
import { type DeliveryUpdate, Notifications } from "./Notifications.ts"

export const ReleaseRequest = Schema.Struct({
  notification_id: Schema.String,
  /** Ends what was not sent, in place of sending it. */
  cancel: Schema.optionalKey(Schema.Literal(true)),
})

/** The reason of a delivery that was cancelled before it was sent. */
export const cancelled = "cancelled"

/** A cancellation may overtake its request on the bus. */
const requestDelayMillis = 30_000

/** `start` returns the messages that send the open deliveries of a notification. */
export const make = (start: (state: NotificationState) => ReadonlyArray<ResultMessage>) =>
  Effect.gen(function* () {
    const notifications = yield* Notifications
    const rules = yield* PreferenceRules
    const scheduled = yield* ScheduledWork.make("notify")
    const bus = yield* EventBus

    /** A repetition changes nothing. */
    const schedule = (state: NotificationState, at: number): Effect.Effect<void, HandlerError> =>
      scheduled.schedule(WorkKinds.release, `${state.notification_id}.${at}`, at, {
        cause_id: state.source_event_id,
        ...(state.request_id === undefined ? {} : { request_id: state.request_id }),
        payload: { notification_id: state.notification_id } satisfies typeof ReleaseRequest.Type,
      })

    const suppressOpen = (state: NotificationState, reason: string) =>
      notifications.applyUpdates(
        state.notification_id,
        state.deliveries.flatMap(({ first_call, summary, target }, index): ReadonlyArray<DeliveryUpdate> =>
          summary === undefined && first_call === undefined
            ? [{ index, summary: { channel: target.channel, provider: "none", status: "suppressed", reason } }]
            : [],
        ),
      )

    /** Sends a notification that is due. */
    const release = Effect.fnUntraced(function* ({ cancel, notification_id }: typeof ReleaseRequest.Type) {
      const state = Option.getOrUndefined(yield* notifications.refresh(notification_id))
      if (state === undefined || state.status !== "pending") return []
      if (cancel === true) return yield* suppressOpen(state, cancelled)
      const now = yield* Clock.currentTimeMillis
      const { send_at: _due, ...due } = state
      const next = yield* rules.apply(due, now)
      if (next.send_at !== undefined && next.send_at > now) {
        yield* schedule(state, next.send_at)
        return []
      }
      const [suppressed] = next.deliveries.flatMap(({ summary }, index) =>
        summary === undefined || state.deliveries[index]?.summary !== undefined ? [] : [summary],
      )
      return suppressed === undefined ? start(state) : yield* suppressOpen(state, suppressed.reason ?? "preference")
    })

    /** Cancels a notification by a work message of its own, so that its events derive from it. */
    const cancelLater = (id: string): Effect.Effect<void, HandlerError> =>
      Effect.asVoid(
        bus.publish({
          address: work("notify", WorkKinds.release),
          id: deriveId("cancel", id),
          body: new TextEncoder().encode(
            JSON.stringify({
              cause_id: id,
              payload: { notification_id: id, cancel: true } satisfies typeof ReleaseRequest.Type,
            }),
          ),
        }),
      )

    /** Nothing to cancel was found: what the cancellation names may still arrive. */
    const missed = Effect.fnUntraced(function* (
      { timestamp }: EventOf<"notification.cancelled">,
      why: string,
    ): Effect.fn.Return<ReadonlyArray<ResultMessage>, HandlerError> {
      const age = (yield* Clock.currentTimeMillis) - Timestamp.toMillis(timestamp)
      if (age < requestDelayMillis) return yield* DeliveryAttempts.snooze("not_requested", `${why} yet`, 1_000)
      yield* Effect.logWarning(`Nothing was cancelled: ${why}`)
      return []
    })

    /** Ends what was not sent yet. */
    const cancel = Effect.fnUntraced(function* (
      event: EventOf<"notification.cancelled">,
    ): Effect.fn.Return<ReadonlyArray<ResultMessage>, HandlerError> {
      const id = idOf(event)
      const found = yield* notifications.refresh(id)
      if (Option.isSome(found))
        return found.value.status === "pending" ? yield* suppressOpen(found.value, cancelled) : []
      return yield* missed(event, `the notification ${id} does not exist`)
    })

    return { schedule, release, cancel, cancelLater, missed }
  })

/** The notification or the workflow's run that a cancellation names. */
export const idOf = ({ payload, source }: EventOf<"notification.cancelled">): string =>
  payload.notification_id?.toLowerCase() ?? deriveId("notification", source, payload.idempotency_key ?? "")
