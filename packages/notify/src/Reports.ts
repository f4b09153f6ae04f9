/**
 * What providers report later: delivered, bounced, complained. A webhook only checks its sender and puts each report on
 * the work queue; here it is merged into the delivery's state, whatever order reports come in, and told as
 * `notification.delivered` or `.bounced`. The same report twice is the same message, the same event and no change.
 */
import { work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { derivedId } from "@armoricore/domain/Causation"
import type { PortError } from "@armoricore/domain/Errors"
import type { HandlerError } from "@armoricore/worker/Handler"
import { emit, type Outcome, type WorkBody } from "@armoricore/worker/Outcome"
import { Clock, Context, Effect, Layer, Option, Schema } from "effect"
import * as DeliveryRecord from "./DeliveryRecord.ts"
import { Notifications } from "./Notifications.ts"
import { Suppressions } from "./Suppressions.ts"
import { hashOf } from "./Target.ts"
import * as WorkKinds from "./WorkKinds.ts"

export const Report = Schema.Struct({
  delivery_id: Schema.String,
  status: Schema.Literals(["delivered", "bounced", "complained", "unsubscribed"]),
  provider: Schema.String,
  provider_id: Schema.optionalKey(Schema.String),
  reason: Schema.optionalKey(Schema.String),
  /** The address will bounce again: it is suppressed. */
  permanent: Schema.optionalKey(Schema.Boolean),
  /** When it happened, epoch milliseconds. */
  at: Schema.Finite,
})
export type Report = typeof Report.Type

export class Reports extends Context.Service<
  Reports,
  {
    /** Returns once the bus has them. `key` names a report with its provider; reports of strangers' mail are dropped. */
    readonly accept: (
      reports: ReadonlyArray<{ readonly key: string; readonly report: Report }>,
    ) => Effect.Effect<void, PortError>
    readonly handle: (report: Report) => Effect.Effect<ReadonlyArray<Outcome>, HandlerError>
  }
>()("@armoricore/notify/Reports") {
  static readonly layer = Layer.effect(
    Reports,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const bus = yield* EventBus
  const notifications = yield* Notifications
  const suppressions = yield* Suppressions
  const records = yield* DeliveryRecord.make

  const find = Effect.fnUntraced(function* (deliveryId: string) {
    const [, id] = /^([0-9a-f-]{36})\.email\.[0-9a-f]{16}$/.exec(deliveryId) ?? []
    if (id === undefined) return undefined
    const notification = Option.getOrUndefined(yield* notifications.get(id))
    const index = notification?.deliveries.findIndex(({ delivery_id }) => delivery_id === deliveryId) ?? -1
    const planned = notification?.deliveries[index]
    return notification === undefined || planned === undefined ? undefined : { notification, planned, index }
  })

  const accept = Effect.fnUntraced(function* (key: string, report: Report) {
    const found = yield* find(report.delivery_id)
    if (found === undefined) return
    const { cause, request_id } = found.notification
    const body: WorkBody = {
      cause_id: cause,
      ...(request_id === undefined ? {} : { request_id }),
      payload: { ...report, at: isTime(report.at) ? report.at : yield* Clock.currentTimeMillis },
    }
    yield* bus.publish({
      address: work("notify", WorkKinds.report),
      id: derivedId("report", report.provider, key),
      body: new TextEncoder().encode(JSON.stringify(body)),
    })
  })

  const handle = Effect.fnUntraced(function* (report: Report): Effect.fn.Return<ReadonlyArray<Outcome>, HandlerError> {
    const found = yield* find(report.delivery_id)
    if (found === undefined) return []
    const { index, notification, planned } = found
    const { target } = planned
    const { status } = report
    if (status === "unsubscribed") {
      yield* suppressions.add(hashOf(target), "unsubscribed", notification.content.category)
      return []
    }
    if (status === "complained" || (status === "bounced" && report.permanent === true)) {
      yield* suppressions.add(hashOf(target), status)
    }
    const about = { delivery_id: planned.delivery_id, notification_id: notification.notification_id }
    const state = yield* records.report(
      { ...about, channel: target.channel },
      {
        status,
        provider: report.provider,
        ...(report.provider_id === undefined ? {} : { provider_id: report.provider_id }),
        ...(report.reason === undefined ? {} : { reason: report.reason }),
      },
    )
    // Something that says more was faster.
    if (state.status !== status) return []
    const summary = {
      channel: target.channel,
      provider: state.provider ?? report.provider,
      status,
      ...(state.provider_id === undefined ? {} : { provider_id: state.provider_id }),
      ...(report.reason === undefined ? {} : { reason: report.reason }),
    }
    const ended = yield* notifications.tell(notification.notification_id, [{ index, summary, report: true }])
    const whom = {
      user_id: notification.user_id,
      notification_id: notification.notification_id,
      notification_type: notification.notification_type,
      deliveries: [summary],
    }
    const at = new Date(report.at).toISOString()
    const which = `${planned.delivery_id}.${status}`
    return status === "delivered"
      ? [...ended, emit("notification.delivered", { ...whom, delivered_at: at }, which)]
      : [...ended, emit("notification.bounced", { ...whom, bounced_at: at }, which)]
  })

  return Reports.of({
    accept: (reports) => Effect.forEach(reports, ({ key, report }) => accept(key, report), { discard: true }),
    handle,
  })
})

/** Between 1970 and 9999: what RFC 3339 can say. */
const isTime = (millis: number): boolean => millis >= 0 && millis < 253_402_300_800_000
