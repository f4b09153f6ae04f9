import { EventBus } from "@armoricore/bus/EventBus";
import { SuppressionList } from "@armoricore/state/SuppressionList";
import { expectNothingFor } from "@armoricore/testing/Eventually";
import { FakeSendGrid } from "@armoricore/testing/fakes/FakeSendGrid";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { HttpClient } from "effect/http";
import { DeliveryReports } from "../../src/delivery/DeliveryReports.ts";
import { Notifications } from "../../src/request/Notifications.ts";
import * as UnsubscribeLinks from "../../src/unsubscribe/UnsubscribeLinks.ts";
import * as SendGridWebhook from "../../src/webhooks/SendGridWebhook.ts";
import { deliveryState, awaitFinal, awaitEvent, recordEvents, notificationState, until, } from "../support/NotifyHarness.ts";
import { call, installed, mail, of, sendgrid } from "../support/WebhookHarness.ts";
describe("SendGrid's webhook", () => {
    const path = SendGridWebhook.path;
    const event = (delivery_id, name, more = {}) => ({
        event: name,
        email: "anna@example.org",
        timestamp: 1_800_000_000,
        sg_message_id: "m-1.filter",
        delivery_id,
        ...more,
    });
    it.live("a repeated delivery report is published once and changes the state", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeSendGrid;
        const id = yield* mail("anna@example.org");
        yield* awaitFinal(id);
        const deliveryId = fake.accepted[0]?.deliveryId ?? "";
        const report = fake.webhook([event(deliveryId, "processed"), event(deliveryId, "delivered")]);
        for (const _ of [1, 2, 3])
            assert.strictEqual(yield* call(path, report), 204);
        const reported = yield* awaitEvent(events, "notification.delivered");
        assert.deepNestedInclude(reported.payload, { notification_id: id, "deliveries[0].status": "delivered" });
        assert.strictEqual(reported.payload["delivered_at"], new Date(1_800_000_000_000).toISOString());
        assert.strictEqual(reported.request_id, "r-1");
        assert.strictEqual((yield* notificationState(id))?.deliveries[0]?.summary?.status, "delivered");
        assert.strictEqual((yield* deliveryState(deliveryId))?.status, "delivered");
        assert.lengthOf(of(events, "notification.delivered"), 1);
        assert.lengthOf(of(events, "notification.sent"), 1);
    }).pipe(Effect.provide(installed(sendgrid))));
    it.live("a bounce is final when reports arrive out of order, and suppresses the address", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeSendGrid;
        yield* awaitFinal(yield* mail("anna@example.org"));
        const deliveryId = fake.accepted[0]?.deliveryId ?? "";
        yield* call(path, fake.webhook([event(deliveryId, "bounce", { type: "bounce", reason: "500 unknown" })]));
        const bounced = yield* awaitEvent(events, "notification.bounced");
        assert.deepNestedInclude(bounced.payload, { "deliveries[0].reason": "500 unknown" });
        yield* call(path, fake.webhook([event(deliveryId, "delivered")]));
        yield* expectNothingFor("100 millis", () => of(events, "notification.delivered"));
        assert.strictEqual((yield* deliveryState(deliveryId))?.status, "bounced");
        const again = yield* awaitFinal(yield* mail("Anna@example.org"));
        assert.deepNestedInclude(again?.deliveries[0]?.summary, { status: "suppressed", reason: "bounced" });
    }).pipe(Effect.provide(installed(sendgrid))));
    it.live("a report resolves an e-mail with an unknown outcome", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeSendGrid;
        const id = yield* mail("cut@example.org");
        yield* awaitEvent(events, "notification.failed");
        const email = "cut@example.org";
        yield* call(path, fake.webhook([event(fake.accepted[0]?.deliveryId ?? "", "delivered", { email })]));
        yield* awaitEvent(events, "notification.delivered");
        yield* awaitEvent(events, "notification.sent");
        const state = yield* notificationState(id);
        assert.strictEqual(state?.status, "sent");
        // The reason of the unknown outcome is removed.
        assert.isUndefined(state?.deliveries[0]?.summary?.reason);
    }).pipe(Effect.provide(installed(sendgrid))));
    it.live("a report with a timestamp outside the calendar is published", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeSendGrid;
        yield* awaitFinal(yield* mail("anna@example.org"));
        const deliveryId = fake.accepted[0]?.deliveryId ?? "";
        assert.strictEqual(yield* call(path, fake.webhook([event(deliveryId, "delivered", { timestamp: 1e300 })])), 204);
        yield* awaitEvent(events, "notification.delivered");
    }).pipe(Effect.provide(installed(sendgrid))));
    it.live("a bounce suppresses the address only if its status is about the address, and stores the evidence", () => Effect.gen(function* () {
        const fake = yield* FakeSendGrid;
        const suppressed = yield* SuppressionList;
        for (const [index, status, type, expected] of [
            [0, "5.1.1", "bounce", 1],
            [1, "5.7.1", "bounce", 0],
            [2, "5.1.1", "blocked", 0],
            [3, "", "bounce", 1],
        ]) {
            const email = `reader${index}@example.org`;
            yield* awaitFinal(yield* mail(email));
            const deliveryId = fake.accepted.at(-1)?.deliveryId ?? "";
            const bounce = event(deliveryId, "bounce", { email, type, status, reason: "550 as the server said" });
            yield* call(path, fake.webhook([bounce]));
            yield* until(deliveryState(deliveryId), (found) => found?.status === "bounced");
            const { entries } = yield* suppressed.list({ address: email, limit: 1 });
            assert.lengthOf(entries, expected, `${status} ${type}`);
            if (index === 0)
                assert.strictEqual(entries[0]?.evidence, "bounce bounce 5.1.1 550 as the server said");
        }
    }).pipe(Effect.provide(installed(sendgrid))));
    // regression: 2,500 reports were published one after another
    it.live("the reports of one call are published concurrently", () => {
        let [running, most] = [0, 0];
        const slowBus = Layer.effect(EventBus, Effect.map(EventBus, (bus) => ({
            ...bus,
            publish: (message) => message.address.channel === "work"
                ? Effect.suspend(() => {
                    most = Math.max(most, ++running);
                    return Effect.ensuring(Effect.delay(bus.publish(message), "5 millis"), Effect.sync(() => running--));
                })
                : bus.publish(message),
        })));
        return Effect.gen(function* () {
            const fake = yield* FakeSendGrid;
            const reports = yield* DeliveryReports;
            yield* awaitFinal(yield* mail("anna@example.org"));
            const deliveryId = fake.accepted[0]?.deliveryId ?? "";
            const report = { delivery_id: deliveryId, status: "delivered", provider: "sendgrid", at: 1 };
            yield* reports.enqueue(Array.from({ length: 200 }, (_, at) => ({ key: `${at}`, report })));
            assert.isAtLeast(most, 32);
        }).pipe(Effect.provide(Layer.fresh(DeliveryReports.layer).pipe(Layer.provide([slowBus, Notifications.layer]))), Effect.provide(installed(sendgrid)));
    });
    it.live("rejects calls without SendGrid's signature and drops reports of unknown mail", () => Effect.gen(function* () {
        const fake = yield* FakeSendGrid;
        const report = fake.webhook([
            event("b0a1b2c3-0000-4000-8000-000000000000.email.0123456789abcdef0123456789abcdef", "delivered"),
        ]);
        assert.strictEqual(yield* call(path, report), 204);
        assert.strictEqual(yield* call(path, { ...report, body: `${report.body} ` }), 401);
        const later = { ...report.headers, "x-twilio-email-event-webhook-timestamp": "1800000001" };
        assert.strictEqual(yield* call(path, { ...report, headers: later }), 401);
        assert.strictEqual(yield* call(path, { body: report.body, headers: {} }), 401);
        const odd = fake.webhook([null, 1, { event: "delivered" }, { event: "delivered", timestamp: "x" }]);
        assert.strictEqual(yield* call(path, odd), 204);
    }).pipe(Effect.provide(installed(sendgrid))));
});
describe("one-click unsubscribe", () => {
    it.live("GET never unsubscribes, POST does, and only from the category", () => Effect.gen(function* () {
        const fake = yield* FakeSendGrid;
        yield* awaitFinal(yield* mail("anna@example.org", { category: "newsletter" }));
        const { headers = {} } = (fake.accepted[0]?.body ?? {});
        const path = /<https:\/\/example\.com([^>]+)>/.exec(headers["List-Unsubscribe"] ?? "")?.[1] ?? "";
        const page = yield* HttpClient.get(path);
        assert.strictEqual(page.status, 200);
        assert.include(yield* page.text, "newsletter");
        assert.include(page.headers["content-security-policy"], "default-src 'none'");
        const sentTo = Effect.fnUntraced(function* (more) {
            return (yield* awaitFinal(yield* mail("anna@example.org", more)))?.deliveries[0]?.summary?.status;
        });
        assert.strictEqual(yield* sentTo({ category: "newsletter" }), "sent");
        const form = { "content-type": "application/x-www-form-urlencoded" };
        for (const _ of [1, 2]) {
            assert.strictEqual(yield* call(path, { headers: form, body: "List-Unsubscribe=One-Click" }), 200);
        }
        assert.strictEqual(yield* sentTo({ category: "newsletter" }), "suppressed");
        assert.strictEqual(yield* sentTo({ category: "receipts" }), "sent");
        assert.strictEqual(yield* sentTo({}), "sent");
        assert.strictEqual(yield* call(`${path}x`, { headers: form, body: "" }), 404);
        assert.strictEqual(yield* call(`${UnsubscribeLinks.path}/${"A".repeat(60)}.AAAA`, { headers: form, body: "" }), 404);
    }).pipe(Effect.provide(installed(sendgrid))));
});
