import { eventually, expectNothingFor } from "@armoricore/testing/Eventually";
import { FakeSendGrid } from "@armoricore/testing/fakes/FakeSendGrid";
import { FakeSes } from "@armoricore/testing/fakes/FakeSes";
import { FakeSmtp } from "@armoricore/testing/fakes/FakeSmtp";
import { DeadLetters } from "@armoricore/worker";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { awaitFinal, awaitEvent, recordEvents, ports, service } from "../../support/NotifyHarness.ts";
import { attachments, fakes, installed, mail, outcome, sendgrid, ses, smtp } from "../../support/MailHarness.ts";
describe("SMTP", () => {
    it.live("a mail arrives as HTML and text, with the delivery's own Message-ID", () => Effect.gen(function* () {
        const fake = yield* FakeSmtp;
        const id = yield* mail("anna@example.org", { title: "Grüße", body: "1 < 2\n\n<script>alert(1)</script>" });
        const state = yield* awaitFinal(id);
        assert.strictEqual(state?.status, "sent");
        const [received] = fake.received;
        assert.strictEqual(received?.to, "anna@example.org");
        assert.strictEqual(received?.from, "no-reply@example.com");
        assert.strictEqual(received?.messageId, `<${state?.deliveries[0]?.delivery_id}@example.com>`);
        assert.include(received?.raw, "From: Example <no-reply@example.com>");
        assert.include(received?.raw, "1 < 2");
        assert.include(received?.raw, "&lt;script&gt;alert(1)&lt;/script&gt;");
        assert.notInclude(received?.raw, "List-Unsubscribe");
    }).pipe(Effect.provide(installed(smtp))));
    it.live("every class of response has its documented result", () => Effect.gen(function* () {
        const provider = "smtp";
        assert.deepStrictEqual(yield* outcome("busy@example.org"), {
            status: "sent",
            reason: undefined,
            attempts: 2,
            provider,
        });
        assert.deepStrictEqual(yield* outcome("shutdown@example.org"), {
            status: "sent",
            reason: undefined,
            attempts: 2,
            provider,
        });
        assert.deepStrictEqual(yield* outcome("early@example.org"), {
            status: "sent",
            reason: undefined,
            attempts: 2,
            provider,
        });
        assert.deepStrictEqual(yield* outcome("refused@example.org"), {
            status: "failed",
            reason: "refused",
            attempts: 1,
            provider,
        });
        assert.deepStrictEqual(yield* outcome("nobody@example.org"), {
            status: "failed",
            reason: "unknown_address",
            attempts: 1,
            provider,
        });
        // An address that is dead is not tried again.
        assert.deepInclude(yield* outcome("nobody@example.org"), { status: "suppressed", reason: "bounced", attempts: 0 });
        const fake = yield* FakeSmtp;
        assert.lengthOf(fake.attemptedRecipients.filter((address) => address.startsWith("nobody")), 1);
    }).pipe(Effect.provide(installed(smtp))));
    it.live("MAIL_RESEND_UNKNOWN=stop: a connection lost after the message leaves the delivery unknown; it is not sent again", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeSmtp;
        assert.deepStrictEqual(yield* outcome("drop@example.org"), {
            status: "unknown",
            reason: "outcome_unknown",
            attempts: 1,
            provider: "smtp",
        });
        const failed = yield* awaitEvent(events, "notification.failed");
        assert.deepNestedInclude(failed.payload, { "error.code": "outcome_unknown", "deliveries[0].status": "unknown" });
        assert.lengthOf(fake.received, 1);
    }).pipe(Effect.provide(installed(smtp))));
    it.live("MAIL_RESEND_UNKNOWN=resend: the mail is sent again under the same Message-ID", () => Effect.gen(function* () {
        const fake = yield* FakeSmtp;
        yield* mail("drop@example.org");
        const received = yield* eventually(() => fake.received, (mails) => mails.length >= 2);
        assert.strictEqual(received[0]?.messageId, received[1]?.messageId);
    }).pipe(Effect.provide(installed(smtp, { resendUnknownMail: true }))));
    it.live("a rejected login pauses the provider; the mail is sent once the login works", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeSmtp;
        fake.acceptLogins = false;
        const id = yield* mail("anna@example.org");
        yield* expectNothingFor("1500 millis", () => events);
        fake.acceptLogins = true;
        assert.strictEqual((yield* awaitFinal(id))?.status, "sent");
        assert.isEmpty(yield* (yield* DeadLetters).list({ limit: 10 }));
    }).pipe(Effect.provide(installed(smtp))));
});
describe("SendGrid", () => {
    it.live("every class of response has its documented result", () => Effect.gen(function* () {
        const provider = "sendgrid";
        const sent = { status: "sent", reason: undefined, provider };
        assert.deepStrictEqual(yield* outcome("anna@example.org"), { ...sent, attempts: 1 });
        assert.deepStrictEqual(yield* outcome("busy@example.org"), { ...sent, attempts: 2 });
        assert.deepStrictEqual(yield* outcome("throttled@example.org"), { ...sent, attempts: 2 });
        const failed = { status: "failed", attempts: 1, provider };
        assert.deepStrictEqual(yield* outcome("malformed@example.org"), { ...failed, reason: "refused" });
        assert.deepStrictEqual(yield* outcome("large@example.org"), { ...failed, reason: "too_large" });
        assert.deepInclude(yield* outcome("cut@example.org"), {
            status: "unknown",
            reason: "outcome_unknown",
            attempts: 1,
        });
        const fake = yield* FakeSendGrid;
        const [accepted] = fake.accepted;
        assert.deepNestedInclude(accepted?.body ?? {}, { "from.email": "no-reply@example.com", "from.name": "Example" });
    }).pipe(Effect.provide(installed(sendgrid))));
    it.live("a rejected key pauses the provider", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeSendGrid;
        yield* mail("unauthorized@example.org");
        yield* eventually(() => fake.attemptedRecipients.length, (count) => count >= 6);
        assert.isEmpty(events);
    }).pipe(Effect.provide(installed(sendgrid))));
});
describe("SES", () => {
    it.live("every class of response has its documented result", () => Effect.gen(function* () {
        const provider = "ses";
        const sent = { status: "sent", reason: undefined, provider };
        assert.deepStrictEqual(yield* outcome("anna@example.org"), { ...sent, attempts: 1 });
        assert.deepStrictEqual(yield* outcome("busy@example.org"), { ...sent, attempts: 2 });
        assert.deepStrictEqual(yield* outcome("throttled@example.org"), { ...sent, attempts: 2 });
        assert.deepStrictEqual(yield* outcome("rejected@example.org"), {
            status: "failed",
            attempts: 1,
            provider,
            reason: "refused",
        });
        assert.deepInclude(yield* outcome("cut@example.org"), {
            status: "unknown",
            reason: "outcome_unknown",
            attempts: 1,
        });
        const fake = yield* FakeSes;
        assert.include(fake.accepted[0]?.raw, "Subject: Hello");
        assert.match(fake.accepted[0]?.tags["armoricore_delivery"] ?? "", /^[0-9a-f-]{36}_email_[0-9a-f]{32}$/);
    }).pipe(Effect.provide(installed(ses))));
    it.live("mail waits while SES has not verified the sender", () => Effect.gen(function* () {
        // regression: all such mail failed
        const events = yield* recordEvents;
        const fake = yield* FakeSes;
        fake.senderVerified = false;
        const id = yield* mail("anna@example.org");
        yield* eventually(() => fake.attemptedRecipients.length, (count) => count >= 6);
        assert.isEmpty(events);
        fake.senderVerified = true;
        assert.strictEqual((yield* awaitFinal(id))?.status, "sent");
        // An address that the sandbox does not allow fails alone.
        assert.deepInclude(yield* outcome("sandbox@example.org"), { status: "failed", reason: "refused" });
    }).pipe(Effect.provide(installed(ses))));
    it.live("an exhausted quota waits for an hour and a paused account pauses the provider; neither uses up attempts", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeSes;
        yield* mail("quota@example.org");
        yield* mail("paused@example.org");
        yield* eventually(() => fake.attemptedRecipients.filter((address) => address.startsWith("paused")).length, (count) => count >= 6);
        assert.isEmpty(events);
        assert.lengthOf(fake.attemptedRecipients.filter((address) => address.startsWith("quota")), 1);
    }).pipe(Effect.provide(installed(ses))));
});
describe("the order of e-mail providers", () => {
    it.live("the next provider takes over during an outage of the first, and never after an unknown outcome", () => Effect.gen(function* () {
        const first = yield* FakeSendGrid;
        const second = yield* FakeSes;
        first.unavailable = true;
        assert.deepInclude(yield* outcome("anna@example.org"), { status: "sent", provider: "ses" });
        first.unavailable = false;
        // Longer than the circuit of the first provider can be open.
        yield* Effect.sleep("300 millis");
        assert.deepInclude(yield* outcome("bert@example.org"), { status: "sent", provider: "sendgrid" });
        assert.deepInclude(yield* outcome("cut@example.org"), { status: "unknown", provider: "sendgrid" });
        assert.deepInclude(yield* outcome("malformed@example.org"), { status: "failed", provider: "sendgrid" });
        assert.deepStrictEqual(second.accepted.map(({ to }) => to), ["anna@example.org"]);
    }).pipe(Effect.provide(service(Layer.provide(Layer.merge(ses, sendgrid), attachments), { order: ["sendgrid", "ses"] }).pipe(Layer.provideMerge(Layer.merge(ports, fakes))))));
});
