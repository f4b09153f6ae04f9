/**
 * Later reports of providers: delivered, bounced, complained. A webhook only verifies its sender and enqueues each
 * report. This module merges the report into the delivery's state, in any order of arrival, and publishes
 * `notification.delivered` or `notification.bounced`. A repeated report has the same message id and event id and
 * changes nothing.
 */
import { work } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { deriveId } from "@armoricore/domain/DeterministicId";
import { emit } from "@armoricore/worker/ResultMessage";
import { hashOfAddress } from "@armoricore/state/SuppressionList";
import { Clock, Context, Effect, Layer, Option, Schema } from "effect";
import * as DeliveryRecord from "./DeliveryRecord.ts";
import { Notifications } from "../request/Notifications.ts";
import { Suppressions } from "../unsubscribe/Suppressions.ts";
import { copiesOf } from "../request/EmailOptions.ts";
import { hashOf } from "../request/Target.ts";
import * as WorkKinds from "../WorkKinds.ts";
export const DeliveryReport = Schema.Struct({
    delivery_id: Schema.String,
    status: Schema.Literals(["delivered", "bounced", "complained", "unsubscribed"]),
    provider: Schema.String,
    provider_id: Schema.optionalKey(Schema.String),
    reason: Schema.optionalKey(Schema.String),
    /** The address will bounce again, so it is suppressed. */
    permanent: Schema.optionalKey(Schema.Boolean),
    /** The words of the provider, for the suppression list. */
    evidence: Schema.optionalKey(Schema.String),
    /** Hashes of the addresses that the report is about: the recipient, or a copy. Absent: the recipient. */
    recipients: Schema.optionalKey(Schema.Array(Schema.String)),
    /** When the reported event happened, in epoch milliseconds. */
    at: Schema.Finite,
});
export class DeliveryReports extends Context.Service()("@armoricore/notify/DeliveryReports") {
    static layer = Layer.effect(DeliveryReports, Effect.suspend(() => make));
}
/** A provider sends thousands of reports in one call and waits for the response. */
const publishConcurrency = 64;
const make = Effect.gen(function* () {
    const bus = yield* EventBus;
    const notifications = yield* Notifications;
    const suppressions = yield* Suppressions;
    const records = yield* DeliveryRecord.make;
    const findDelivery = Effect.fnUntraced(function* (deliveryId) {
        const [, id] = /^([0-9a-f-]{36})\.[a-z_]+\.[0-9a-f]{32}$/.exec(deliveryId) ?? [];
        if (id === undefined)
            return undefined;
        const notification = Option.getOrUndefined(yield* notifications.get(id));
        const index = notification?.deliveries.findIndex(({ delivery_id }) => delivery_id === deliveryId) ?? -1;
        const planned = notification?.deliveries[index];
        return notification === undefined || planned === undefined ? undefined : { notification, planned, index };
    });
    const enqueue = Effect.fnUntraced(function* (key, report) {
        const found = yield* findDelivery(report.delivery_id);
        if (found === undefined)
            return;
        const { source_event_id, request_id } = found.notification;
        const body = {
            cause_id: source_event_id,
            ...(request_id === undefined ? {} : { request_id }),
            payload: { ...report, at: isRepresentableTime(report.at) ? report.at : yield* Clock.currentTimeMillis },
        };
        yield* bus.publish({
            address: work("notify", WorkKinds.report),
            id: deriveId("report", report.provider, key),
            body: new TextEncoder().encode(JSON.stringify(body)),
        });
    });
    const handle = Effect.fnUntraced(function* (report) {
        const found = yield* findDelivery(report.delivery_id);
        if (found === undefined)
            return [];
        const { index, notification, planned } = found;
        const { target } = planned;
        const { status } = report;
        const { evidence = report.reason, provider: source } = report;
        const addition = { source, evidence, delivery_id: planned.delivery_id };
        const targetHash = hashOf(target);
        if (status === "unsubscribed") {
            yield* suppressions.add(targetHash, { ...addition, reason: status }, notification.content.category);
            return [];
        }
        const { recipients = [targetHash] } = report;
        if (status === "complained" || (status === "bounced" && report.permanent === true)) {
            const known = [targetHash, ...copiesOf(notification.content).map(hashOfAddress)];
            for (const hash of recipients) {
                if (known.includes(hash))
                    yield* suppressions.add(hash, { ...addition, reason: status });
            }
        }
        // The report of a copy says nothing about the recipient.
        if (!recipients.includes(targetHash))
            return [];
        const about = { delivery_id: planned.delivery_id, notification_id: notification.notification_id };
        const state = yield* records.applyReport({ ...about, channel: target.channel }, {
            status,
            provider: report.provider,
            ...(report.provider_id === undefined ? {} : { provider_id: report.provider_id }),
            ...(report.reason === undefined ? {} : { reason: report.reason }),
        });
        // A report with a higher status was stored first.
        if (state.status !== status)
            return [];
        const summary = {
            channel: target.channel,
            provider: state.provider ?? report.provider,
            status,
            ...(state.provider_id === undefined ? {} : { provider_id: state.provider_id }),
            ...(report.reason === undefined ? {} : { reason: report.reason }),
        };
        const events = yield* notifications.applyUpdates(notification.notification_id, [{ index, summary, report: true }]);
        const payload = {
            user_id: notification.user_id,
            notification_id: notification.notification_id,
            notification_type: notification.notification_type,
            deliveries: [summary],
        };
        const at = new Date(report.at).toISOString();
        const discriminator = `${planned.delivery_id}.${status}`;
        return status === "delivered"
            ? [...events, emit("notification.delivered", { ...payload, delivered_at: at }, discriminator)]
            : [...events, emit("notification.bounced", { ...payload, bounced_at: at }, discriminator)];
    });
    return DeliveryReports.of({
        enqueue: (reports) => Effect.forEach(reports, ({ key, report }) => enqueue(key, report), {
            concurrency: publishConcurrency,
            discard: true,
        }),
        handle,
    });
});
/** Between 1970 and 9999, the range of RFC 3339. */
const isRepresentableTime = (millis) => millis >= 0 && millis < 253_402_300_800_000;
