import { SuppressionList } from "@armoricore/state/SuppressionList";
import { eventually, expectNothingFor } from "@armoricore/testing/Eventually";
import { FakeSes } from "@armoricore/testing/fakes/FakeSes";
import { FakeSns } from "@armoricore/testing/fakes/FakeSns";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { hash } from "node:crypto";
import * as SesWebhook from "../../src/webhooks/SesWebhook.ts";
import { deliveryState, awaitFinal, awaitEvent, recordEvents, publishRequest, until } from "../support/NotifyHarness.ts";
import { call, installed, mail, of, ses } from "../support/WebhookHarness.ts";
/** A bounce as SES writes it. */
const bounceOf = (bounceType, bounceSubType, status, action = "failed") => ({
    bounce: {
        bounceType,
        bounceSubType,
        bouncedRecipients: [
            {
                emailAddress: "reader@example.org",
                ...(status === undefined ? {} : { action, status, diagnosticCode: "smtp; 550 no such user" }),
            },
        ],
    },
});
describe("SES's webhook", () => {
    const path = SesWebhook.path;
    const headers = { "content-type": "text/plain; charset=UTF-8" };
    const report = (tag, eventType, more = {}) => ({
        eventType,
        mail: { messageId: "ses-1", timestamp: "2026-01-31T12:00:00.000Z", tags: { armoricore_delivery: [tag] } },
        ...more,
    });
    it.live("delivery, bounce and complaint reach the state, signed in version 1 and 2", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const mails = yield* FakeSes;
        const sns = yield* FakeSns;
        yield* awaitFinal(yield* mail("anna@example.org"));
        const tag = mails.accepted[0]?.tags["armoricore_delivery"] ?? "";
        const delivered = sns.notification(report(tag, "Delivery", { delivery: { timestamp: "2026-01-31T12:00:01.000Z" } }), {}, "1");
        assert.strictEqual(yield* call(path, { headers, body: delivered }), 204);
        const reported = yield* awaitEvent(events, "notification.delivered");
        assert.deepNestedInclude(reported.payload, {
            delivered_at: "2026-01-31T12:00:01.000Z",
            "deliveries[0].provider": "ses",
        });
        const bounce = report(tag, "Bounce", { bounce: { bounceType: "Permanent", bounceSubType: "General" } });
        for (const _ of [1, 2])
            yield* call(path, { headers, body: sns.notification(bounce) });
        yield* awaitEvent(events, "notification.bounced");
        yield* call(path, { headers, body: sns.notification(report(tag, "Complaint", { complaint: {} })) });
        yield* eventually(() => of(events, "notification.bounced").length, (count) => count === 2);
        const again = yield* awaitFinal(yield* mail("anna@example.org"));
        assert.deepNestedInclude(again?.deliveries[0]?.summary, { status: "suppressed", reason: "complained" });
    }).pipe(Effect.provide(installed(ses))));
    // regression: one recipient computed the delivery id of another and suppressed that address through an own topic
    it.live("refuses a forged bounce: from a foreign topic, with a computed delivery id, or with that of another address", () => Effect.gen(function* () {
        const mails = yield* FakeSes;
        const sns = yield* FakeSns;
        const suppressed = yield* SuppressionList;
        const id = yield* publishRequest({
            notification_type: "email",
            recipients: [{ email: "anna@example.org" }, { email: "eve@example.org" }],
        });
        yield* awaitFinal(id);
        const bounce = (tag, more = {}) => report(tag, "Bounce", { bounce: { bounceType: "Permanent", bounceSubType: "General", ...more } });
        const tagOf = (address) => mails.accepted.find(({ to }) => to === address)?.tags["armoricore_delivery"] ?? "";
        const foreign = { TopicArn: "arn:aws:sns:eu-west-1:999999999999:mine" };
        const forged = sns.foreignNotification(bounce(tagOf("anna@example.org")), foreign);
        assert.strictEqual(yield* call(path, { headers, body: forged }), 403);
        assert.strictEqual(yield* call(path, { headers, body: sns.foreignConfirmation(foreign) }), 403);
        assert.isEmpty(sns.confirmed);
        const digest = hash("sha256", "anna@example.org");
        for (const computed of [digest.slice(0, 16), digest.slice(0, 32)]) {
            const body = sns.notification(bounce(`${id}_email_${computed}`));
            assert.strictEqual(yield* call(path, { headers, body }), 204);
        }
        // The id of an own mail does not suppress the address of another recipient.
        const recipients = [{ emailAddress: "anna@example.org", action: "failed", status: "5.1.1" }];
        const own = sns.notification(bounce(tagOf("eve@example.org"), { bouncedRecipients: recipients }));
        assert.strictEqual(yield* call(path, { headers, body: own }), 204);
        yield* expectNothingFor("300 millis", Effect.map(suppressed.list({ limit: 10 }), ({ entries }) => entries));
    }).pipe(Effect.provide(installed(ses))));
    const kinds = [
        ["not-spam", "Complaint", { complaint: { complaintFeedbackType: "not-spam" } }, "sent", undefined],
        ["auth-failure", "Complaint", { complaint: { complaintFeedbackType: "auth-failure" } }, "sent", undefined],
        ["virus", "Complaint", { complaint: { complaintFeedbackType: "virus" } }, "sent", undefined],
        ["abuse", "Complaint", { complaint: { complaintFeedbackType: "abuse" } }, "complained", "complained"],
        ["fraud", "Complaint", { complaint: { complaintFeedbackType: "fraud" } }, "complained", "complained"],
        ["without a type", "Complaint", { complaint: { complaintFeedbackType: null } }, "complained", "complained"],
        [
            "OnAccountSuppressionList",
            "Complaint",
            { complaint: { complaintSubType: "OnAccountSuppressionList" } },
            "bounced",
            undefined,
        ],
        ["a list of SES", "Bounce", bounceOf("Permanent", "OnAccountSuppressionList", "5.1.1"), "bounced", undefined],
        ["Transient with 5.1.1", "Bounce", bounceOf("Transient", "General", "5.1.1"), "bounced", "bounced"],
        [
            "Transient with 5.1.1, delayed",
            "Bounce",
            bounceOf("Transient", "General", "5.1.1", "delayed"),
            "sent",
            undefined,
        ],
        ["Transient with a full mailbox", "Bounce", bounceOf("Transient", "MailboxFull", "5.2.2"), "bounced", undefined],
        ["Permanent with 5.0.0", "Bounce", bounceOf("Permanent", "General", "5.0.0"), "bounced", "bounced"],
        ["Permanent without a status", "Bounce", bounceOf("Permanent", "NoEmail"), "bounced", "bounced"],
        ["Permanent with 5.7.1", "Bounce", bounceOf("Permanent", "General", "5.7.1"), "bounced", undefined],
        ["Permanent with 4.4.7", "Bounce", bounceOf("Permanent", "General", "4.4.7"), "bounced", undefined],
        ["Undetermined", "Bounce", bounceOf("Undetermined", "Undetermined"), "bounced", undefined],
    ];
    it.live("each kind of bounce and complaint has its state and its suppression", () => Effect.gen(function* () {
        const mails = yield* FakeSes;
        const sns = yield* FakeSns;
        const suppressed = yield* SuppressionList;
        for (const [index, [name, eventType, more, status, reason]] of kinds.entries()) {
            const address = `reader${index}@example.org`;
            const id = yield* mail(address);
            yield* awaitFinal(id);
            const tag = mails.accepted.at(-1)?.tags["armoricore_delivery"] ?? "";
            const text = JSON.stringify(report(tag, eventType, more)).replaceAll("reader@", `reader${index}@`);
            assert.strictEqual(yield* call(path, { headers, body: sns.notification(JSON.parse(text)) }), 204);
            const deliveryId = tag.replaceAll("_", ".");
            const state = yield* until(deliveryState(deliveryId), (found) => found?.status === status);
            if (status === "sent") {
                const isChanged = Effect.map(deliveryState(deliveryId), (found) => found?.status !== "sent");
                yield* expectNothingFor("50 millis", isChanged);
            }
            assert.strictEqual(state?.status, status, name);
            const { entries } = yield* suppressed.list({ address, limit: 10 });
            assert.deepStrictEqual(entries.map((entry) => [entry.reason, entry.source, entry.delivery_id]), reason === undefined ? [] : [[reason, "ses", deliveryId]], name);
        }
        const { entries } = yield* suppressed.list({ address: "reader8@example.org", limit: 1 });
        assert.strictEqual(entries[0]?.evidence, "Transient General 5.1.1 smtp; 550 no such user");
    }).pipe(Effect.provide(installed(ses))));
    it.live("a bounce of a copy suppresses the copy's address and does not change the delivery", () => Effect.gen(function* () {
        const mails = yield* FakeSes;
        const sns = yield* FakeSns;
        const suppressed = yield* SuppressionList;
        yield* awaitFinal(yield* mail("anna@example.org", { email: { cc: ["reader@example.org"] } }));
        const tag = mails.accepted[0]?.tags["armoricore_delivery"] ?? "";
        const body = sns.notification(report(tag, "Bounce", bounceOf("Permanent", "General", "5.1.1")));
        assert.strictEqual(yield* call(path, { headers, body }), 204);
        yield* until(suppressed.list({ address: "reader@example.org", limit: 1 }), ({ entries }) => entries.length === 1);
        assert.strictEqual((yield* deliveryState(tag.replaceAll("_", ".")))?.status, "sent");
        assert.isEmpty((yield* suppressed.list({ address: "anna@example.org", limit: 1 })).entries);
    }).pipe(Effect.provide(installed(ses))));
    it.live("confirms a subscription of an allowed topic, and calls only SNS", () => Effect.gen(function* () {
        const sns = yield* FakeSns;
        assert.strictEqual(yield* call(path, { headers, body: sns.confirmation() }), 204);
        assert.deepStrictEqual(sns.confirmed, ["/?Action=ConfirmSubscription&Token=fake-confirmation"]);
        for (const SubscribeURL of ["http://169.254.169.254/", "https://sns.eu-west-1.amazonaws.com.evil.example/"]) {
            // Changed after it was signed.
            assert.strictEqual(yield* call(path, { headers, body: sns.confirmation({ SubscribeURL }) }), 401);
        }
        assert.lengthOf(sns.confirmed, 1);
    }).pipe(Effect.provide(installed(ses))));
    it.live("rejects foreign certificates, foreign topics and changed messages", () => Effect.gen(function* () {
        const sns = yield* FakeSns;
        const message = report("x", "Delivery");
        for (const SigningCertURL of [
            "https://evil.example/cert.pem",
            "https://sns.eu-west-1.amazonaws.com@evil.example/cert.pem",
            "https://sns.evil.amazonaws.com.evil.example/cert.pem",
            "http://sns.eu-west-1.amazonaws.com/cert.pem",
            "https://sns.eu-west-1.amazonaws.com/cert.txt",
            "nowhere",
        ]) {
            assert.strictEqual(yield* call(path, { headers, body: sns.notification(message, { SigningCertURL }) }), 401);
        }
        assert.strictEqual(yield* call(path, { headers, body: sns.notification(message, { TopicArn: "arn:aws:sns:x:1:y" }) }), 401);
        assert.strictEqual(yield* call(path, { headers, body: sns.notification(message, { Message: "{}" }) }), 401);
        assert.strictEqual(yield* call(path, { headers, body: sns.notification(message, { SignatureVersion: "3" }) }), 401);
        assert.strictEqual(yield* call(path, { headers, body: "no json" }), 400);
    }).pipe(Effect.provide(installed(ses))));
});
