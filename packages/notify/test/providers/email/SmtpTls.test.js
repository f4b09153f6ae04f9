/** E-mail over real TLS, with a certificate that no public authority signed. */
import { eventually } from "@armoricore/testing/Eventually";
import { FakeSmtp } from "@armoricore/testing/fakes/FakeSmtp";
import * as TestCertificate from "@armoricore/testing/fakes/TestCertificate";
import { DeadLetters } from "@armoricore/worker";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Logger, Redacted } from "effect";
import { Attachments } from "../../../src/request/Attachments.ts";
import * as Smtp from "../../../src/providers/email/Smtp.ts";
import { awaitFinal, recordEvents, ports, publishRequest, service } from "../../support/NotifyHarness.ts";
const from = "Example <no-reply@example.com>";
const attachments = Attachments.layer({ buckets: ["media"] });
const installed = (fake, ca, query = "") => service(Layer.unwrap(Effect.map(FakeSmtp, ({ url }) => Smtp.layer({
    url: Redacted.make(`${Redacted.value(url)}${query}`),
    from,
    ...(ca === undefined ? {} : { ca }),
}))).pipe(Layer.provide(attachments))).pipe(Layer.provideMerge(Layer.merge(ports, fake)));
const mail = publishRequest({ notification_type: "email", recipients: [{ email: "anna@example.org" }] });
/** The provider is paused with an alarm, and the mail waits. */
const expectPaused = (alarm, fake, ca, query) => {
    const lines = [];
    const log = Logger.make(({ message }) => void lines.push(String(message)));
    return Effect.gen(function* () {
        const events = yield* recordEvents;
        const { received } = yield* FakeSmtp;
        yield* mail;
        yield* eventually(() => lines, (logged) => logged.some((line) => line.includes("ALARM")));
        assert.match(lines.join("\n"), alarm);
        assert.isEmpty(events);
        assert.isEmpty(received);
        assert.isEmpty(yield* (yield* DeadLetters).list({ limit: 10 }));
    }).pipe(Effect.provide(installed(fake, ca, query)), Effect.provide(Logger.layer([log])));
};
const authority = TestCertificate.certificate;
describe("SMTP over TLS", () => {
    for (const way of ["smtps", "starttls"]) {
        it.live(`${way}: SMTP_CA makes a server with a private authority trusted`, () => Effect.gen(function* () {
            const { received, usedTls } = yield* FakeSmtp;
            assert.strictEqual((yield* awaitFinal(yield* mail))?.status, "sent");
            assert.lengthOf(received, 1);
            assert.deepStrictEqual(usedTls, [true]);
        }).pipe(Effect.provide(installed(FakeSmtp.layerTls(way), authority))));
        it.live(`${way}: an untrusted server pauses the provider and mail waits`, () => expectPaused(/SMTP_CA: the certificate of the mail server is not trusted/, FakeSmtp.layerTls(way)));
    }
    /** Another address of this machine that is not recognised as loopback. */
    const elsewhere = Layer.effect(FakeSmtp, Effect.map(FakeSmtp, (fake) => ({
        ...fake,
        url: Redacted.make(Redacted.value(fake.url).replace("127.0.0.1", "0.0.0.0")),
    }))).pipe(Layer.provide(FakeSmtp.layer));
    // regression: the password was sent in clear text
    it.live("a password is not sent when STARTTLS is stripped from the conversation", () => expectPaused(/SMTP_URL: the mail server offers no TLS.*\?tls=optional/, elsewhere));
    it.live("tls=optional permits a login without TLS", () => Effect.gen(function* () {
        assert.strictEqual((yield* awaitFinal(yield* mail))?.status, "sent");
    }).pipe(Effect.provide(installed(elsewhere, undefined, "?tls=optional"))));
    for (const [name, ca, query] of [
        ["SMTP_CA", authority, ""],
        ["tls=require", undefined, "?tls=require"],
    ]) {
        it.live(`a server without TLS receives no mail when ${name} requires TLS; mail waits`, () => expectPaused(/SMTP_URL: the mail server offers no TLS/, FakeSmtp.layer, ca, query));
    }
});
