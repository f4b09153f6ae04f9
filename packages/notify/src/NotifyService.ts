/**
 * The notify service: turns `notification.requested` into one delivery a target, and tells what became of them with
 * `notification.sent` or `.failed`, `device.token_invalid`, and later `notification.delivered` or `.bounced`. Whoever
 * builds the Layer runs the service; closing the Layer drains it.
 *
 * - `notification.requested` makes the state document and fans out;
 * - each channel has a work queue of its own, so that a slow provider holds up nobody else's deliveries;
 * - `settle` notes deliveries that the worker loop gave up; `report` notes what webhooks brought.
 */
import { Channel, type NotificationState } from "@armoricore/domain/NotificationState"
import type { PayloadOf } from "@armoricore/domain/Events"
import { on, onWork } from "@armoricore/worker/Handler"
import { emit, enqueue, type Outcome } from "@armoricore/worker/Outcome"
import * as Worker from "@armoricore/worker/Worker"
import { Effect, Layer, Option, Schema } from "effect"
import { Deliveries } from "./Deliveries.ts"
import { DeliveryPolicy } from "./DeliveryPolicy.ts"
import { Notifications } from "./Notifications.ts"
import * as Plan from "./Plan.ts"
import { kind as reportKind, Report, Reports } from "./Reports.ts"

/** Deliveries that one message enqueues; what a decision holds must fit into one document of the state. */
const batch = 100

const Assigned = Schema.Struct({ notification_id: Schema.String, index: Schema.Int })
const Batch = Schema.Struct({ notification_id: Schema.String, from: Schema.Int })
const Abandoned = Schema.Struct({ ...Assigned.fields, code: Schema.String, message: Schema.String })

/** The work of a channel: consumer names know no underscore. */
export const kindOf = (channel: Channel): string => `deliver-${channel.replaceAll("_", "-")}`

/** Every kind of internal work, so that `armoricore setup` can make its queues. */
export const workKinds: ReadonlyArray<string> = [...Channel.literals.map(kindOf), "fan-out", "settle", reportKind]

/** Handlers only; needs the services that they use. */
export const layerNoDeps = Layer.effectDiscard(
  Effect.gen(function* () {
    const deliveries = yield* Deliveries
    const notifications = yield* Notifications
    const reports = yield* Reports
    const { concurrency } = yield* DeliveryPolicy

    const request = on("notification.requested", {
      concurrency: 16,
      handle: Effect.fnUntraced(function* (event) {
        const state = yield* notifications.create(yield* Plan.make(event))
        if (state.cause !== event.event_id) {
          yield* Effect.logInfo("a notification was asked for again under its idempotency key", {
            notification_id: state.notification_id,
          })
          return []
        }
        const open = state.deliveries.flatMap(({ summary }, index) => (summary === undefined ? [index] : []))
        if (open.length === 0) return yield* notifications.end(state.notification_id)
        if (state.deliveries.length <= batch) return open.map((index) => assign(state, index))
        const starts = Array.from({ length: Math.ceil(state.deliveries.length / batch) }, (_, at) => at * batch)
        return starts.map((from) =>
          enqueue("fan-out", `${from}`, { notification_id: state.notification_id, from } satisfies typeof Batch.Type),
        )
      }),
      failed: ({ event_id, payload }, error, failed_at) => [
        emit("notification.failed", {
          user_id: payload.user_id,
          notification_id: event_id,
          notification_type: payload.notification_type,
          error,
          failed_at,
          deliveries: [],
        } satisfies PayloadOf<"notification.failed">),
      ],
    })

    const fanOut = onWork("fan-out", Batch, {
      concurrency: 4,
      handle: ({ from, notification_id }) =>
        Effect.map(notifications.get(notification_id), (found) => {
          const state = Option.getOrUndefined(found)
          if (state === undefined) return []
          return state.deliveries
            .slice(from, from + batch)
            .flatMap(({ summary }, at) => (summary === undefined ? [assign(state, from + at)] : []))
        }),
      failed: () => [],
    })

    const channels = Channel.literals.map((channel) =>
      onWork(kindOf(channel), Assigned, {
        concurrency,
        handle: deliveries.deliver,
        failed: (assigned, { code, message }, at) => [
          enqueue("settle", `${assigned.index}.${at}`, { ...assigned, code, message } satisfies typeof Abandoned.Type),
        ],
      }),
    )

    const settle = onWork("settle", Abandoned, {
      concurrency: 16,
      handle: ({ code, message, ...assigned }) => deliveries.giveUp(assigned, { code, message }),
      failed: () => [],
    })

    const report = onWork(reportKind, Report, { concurrency: 16, handle: reports.handle, failed: () => [] })

    yield* Worker.run("notify", [request, fanOut, ...channels, settle, report])
  }),
)

const assign = (state: NotificationState, index: number): Outcome => {
  const planned = state.deliveries[index]
  const channel = planned?.target.channel ?? "email"
  return enqueue(kindOf(channel), planned?.delivery_id ?? `${index}`, {
    notification_id: state.notification_id,
    index,
  } satisfies typeof Assigned.Type)
}

/**
 * Needs the ports, `Routes`, `Suppressions`, `Templates` and `Unsubscribe`. `Reports` stays visible for the webhooks.
 */
export const layer = layerNoDeps.pipe(
  Layer.provide(Deliveries.layer),
  Layer.provideMerge(Reports.layer),
  Layer.provide(Notifications.layer),
)
