/** Headers, copies, signatures and encryption of mail, read back by independent programs: smtp-server, dkim, libmime. */
import { eventually } from "@armoricore/testing/Eventually";
import { FakeSendGrid } from "@armoricore/testing/fakes/FakeSendGrid";
import { FakeSes } from "@armoricore/testing/fakes/FakeSes";
import { FakeSmtp } from "@armoricore/testing/fakes/FakeSmtp";
import { assert, describe, it } from "@effect/vitest";
import dkim from "dkim";
import { Effect, Layer, Redacted } from "effect";
import { generateKeyPairSync } from "node:crypto";
import { Attachments } from "../../../src/request/Attachments.ts";
import * as Dkim from "../../../src/providers/email/Dkim.ts";
import * as SendGrid from "../../../src/providers/email/SendGrid.ts";
import * as Ses from "../../../src/providers/email/Ses.ts";
import * as Smtp from "../../../src/providers/email/Smtp.ts";
import { hashOf } from "../../../src/request/Target.ts";
import { Suppressions } from "../../../src/unsubscribe/Suppressions.ts";
import { awaitFinal, ports, publishRequest, service } from "../../support/NotifyHarness.ts";
const from = "Example <no-reply@example.com>";
const attachments = Attachments.layer({ buckets: ["media"] });
const withSmtp = (options = {}, server = {}, query = "") => service(Layer.unwrap(Effect.map(FakeSmtp, ({ url }) => Smtp.layer({ from, ...options, url: Redacted.make(`${Redacted.value(url)}${query}`) }))).pipe(Layer.provide(attachments))).pipe(Layer.provideMerge(Layer.merge(ports, FakeSmtp.layerWith(server))));
const mailTo = (email, more = {}) => publishRequest({ notification_type: "email", recipients: [{ email }], ...more });
const send = Effect.fnUntraced(function* (email, more = {}) {
    const state = yield* awaitFinal(yield* mailTo(email, more));
    return { state, summary: state?.deliveries[0]?.summary };
});
/** The received mail, its header lines, and its fields without folding. */
const firstMail = Effect.map(FakeSmtp, ({ received }) => {
    const raw = received[0]?.raw ?? "";
    const head = raw.slice(0, raw.indexOf("\r\n\r\n"));
    const fields = head.replaceAll(/\r\n[ \t]+/g, " ").split("\r\n");
    const field = (name) => fields.find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}: `))?.slice(name.length + 2);
    return { raw, lines: raw.split("\r\n"), recipients: received[0]?.recipients ?? [], field };
});
/** A decoder of RFC 2047 that is as lenient as mail programs are: it also decodes inside quotes. */
const decodeWords = (text) => text
    .replaceAll(/\?=\s+=\?/g, "?==?")
    .replaceAll(/=\?([^?]+)\?([BbQq])\?([^?]*)\?=/g, (_all, _charset, kind, data) => kind.toUpperCase() === "B"
    ? Buffer.from(data, "base64").toString()
    : Buffer.from(data
        .replaceAll("_", " ")
        .replaceAll(/=([0-9A-F]{2})/g, (_hex, digits) => String.fromCharCode(Number.parseInt(digits, 16))), "latin1").toString());
const longest = (lines) => Math.max(...lines.map((line) => Buffer.byteLength(line)));
describe("headers of SMTP mail", () => {
    const titles = {
        "an encoded-word look-alike": "=?utf-8?Q?fake?=",
        "a look-alike inside a sentence": "Please read =?utf-8?B?ZmFrZQ==?= now",
        "a look-alike with other letters": "Grüße =?utf-8?Q?fake?=",
        "1,200 characters without a space": "x".repeat(1_200),
        "1,200 characters in words": "word ".repeat(240).trim(),
        "1,200 letters of three bytes": "好".repeat(1_200),
        "emoji in pairs": "👩‍👩‍👧‍👦".repeat(100),
    };
    for (const [name, title] of Object.entries(titles)) {
        // regression: readers decoded the look-alike, and a long title made a line that servers cut or refuse
        it.live(`a title with ${name} arrives unchanged, on lines of at most 78 octets`, () => Effect.gen(function* () {
            assert.strictEqual((yield* send("anna@example.org", { title })).summary?.status, "sent");
            const { field, lines, raw } = yield* firstMail;
            assert.strictEqual(decodeWords(field("Subject") ?? ""), title);
            const [subject = ""] = /^Subject:.*(?:\r\n[ \t].*)*/m.exec(raw) ?? [];
            assert.isAtMost(longest(subject.split("\r\n")), 78);
            assert.isAtMost(longest(lines), 998);
        }).pipe(Effect.provide(withSmtp())));
    }
    it.live("reply addresses, copies, the sender's name and the preview text are in the mail", () => Effect.gen(function* () {
        const email = {
            reply_to: "help@example.com",
            cc: ["bert@example.org", "carla@example.org"],
            bcc: "dora@example.org",
            from_name: "Grüße & Co, Ltd.",
            preheader: "Only <today>",
        };
        assert.strictEqual((yield* send("anna@example.org", { email })).summary?.status, "sent");
        const { field, raw, recipients } = yield* firstMail;
        assert.deepStrictEqual(recipients, [
            "anna@example.org",
            "bert@example.org",
            "carla@example.org",
            "dora@example.org",
        ]);
        assert.strictEqual(decodeWords(field("From") ?? ""), "Grüße & Co, Ltd. <no-reply@example.com>");
        assert.strictEqual(field("Reply-To"), "help@example.com");
        assert.strictEqual(field("To"), "anna@example.org");
        assert.strictEqual(field("Cc"), "bert@example.org, carla@example.org");
        assert.notInclude(raw, "dora");
        const html = raw.replaceAll("=\r\n", "");
        assert.match(html, /<body[^>]*>\s*<div[^>]*>Only &lt;today&gt;/);
    }).pipe(Effect.provide(withSmtp())));
    it.live("a display name that looks like an encoded-word is shown as it was written", () => Effect.gen(function* () {
        yield* send("anna@example.org", { email: { from_name: "=?utf-8?Q?Bank?=" } });
        const shown = decodeWords((yield* firstMail).field("From") ?? "");
        assert.strictEqual(shown.replaceAll("\u2060", ""), "=?utf-8?Q?Bank?= <no-reply@example.com>");
    }).pipe(Effect.provide(withSmtp())));
    it.live("copies go out once for several recipients, and not to suppressed addresses", () => Effect.gen(function* () {
        const suppressions = yield* Suppressions;
        yield* suppressions.add(hashOf({ channel: "email", address: "bert@example.org" }), { reason: "complained" });
        const id = yield* publishRequest({
            notification_type: "email",
            recipients: [{ email: "not an address" }, { email: "anna@example.org" }, { email: "emil@example.org" }],
            email: { cc: ["bert@example.org"], bcc: ["dora@example.org"] },
        });
        assert.strictEqual((yield* awaitFinal(id))?.status, "sent");
        const { received } = yield* FakeSmtp;
        assert.deepStrictEqual(received.map(({ recipients }) => recipients.join()).toSorted(), [
            "anna@example.org,dora@example.org",
            "emil@example.org",
        ]);
    }).pipe(Effect.provide(withSmtp())));
    it.live("the reply to the recipient decides the result, and a rejected copy does not", () => Effect.gen(function* () {
        assert.strictEqual((yield* send("anna@example.org", { email: { cc: ["nobody@example.org"] } })).summary?.status, "sent");
        assert.deepInclude((yield* send("nobody@example.org", { email: { cc: ["anna@example.org"] } })).summary, {
            status: "failed",
            reason: "unknown_address",
        });
    }).pipe(Effect.provide(withSmtp())));
    it.live("a wrong copy or reply address fails the notification and names the field", () => Effect.gen(function* () {
        for (const [email, message] of [
            [{ cc: ["a@example.org", "b"] }, /^email\.cc\[1\] is "b"/],
            [{ reply_to: "x@" }, /^email\.reply_to is "x@"/],
            [{ bcc: Array.from({ length: 51 }, (_, at) => `a${at}@example.org`) }, /51 addresses; at most 50/],
        ]) {
            const { state } = yield* send("anna@example.org", { email });
            assert.match(state?.error?.message ?? "", message);
        }
    }).pipe(Effect.provide(withSmtp())));
});
describe("SMTPUTF8", () => {
    it.live("an address with other letters before the @ reaches a server with SMTPUTF8", () => Effect.gen(function* () {
        assert.strictEqual((yield* send("grüße@example.org")).summary?.status, "sent");
        assert.deepStrictEqual((yield* firstMail).recipients, ["grüße@example.org"]);
    }).pipe(Effect.provide(withSmtp())));
    // regression: the server received an address that it could not read
    it.live("a server without SMTPUTF8 receives no such address, and the failure says why", () => Effect.gen(function* () {
        const fake = yield* FakeSmtp;
        assert.deepInclude((yield* send("grüße@example.org")).summary, {
            status: "failed",
            reason: "smtputf8_unsupported",
        });
        assert.isEmpty(fake.attemptedRecipients);
        // Only the domain has other letters: its ASCII form needs no SMTPUTF8.
        assert.strictEqual((yield* send("anna@exämple.org")).summary?.status, "sent");
        // smtp-server shows the ASCII form decoded.
        assert.deepStrictEqual(fake.attemptedRecipients, ["anna@exämple.org"]);
    }).pipe(Effect.provide(withSmtp({}, { withoutUtf8: true }))));
});
describe("STARTTLS with a certificate of an unknown authority", () => {
    // regression: all mail stopped, also that to a server on the same machine
    it.live("without a password, mail is sent over unverified TLS", () => Effect.gen(function* () {
        assert.strictEqual((yield* send("anna@example.org")).summary?.status, "sent");
        assert.deepStrictEqual((yield* FakeSmtp).usedTls, [true]);
    }).pipe(Effect.provide(withSmtp({}, { tls: "starttls", withoutLogin: true }))));
    it.live("tls=optional permits a login over unverified TLS", () => Effect.gen(function* () {
        assert.strictEqual((yield* send("anna@example.org")).summary?.status, "sent");
        assert.deepStrictEqual((yield* FakeSmtp).usedTls, [true]);
    }).pipe(Effect.provide(withSmtp({}, { tls: "starttls" }, "?tls=optional"))));
    for (const [name, server, query] of [
        ["with a password", { tls: "starttls" }, ""],
        ["with tls=require", { tls: "starttls", withoutLogin: true }, "?tls=require"],
        ["with smtps", { tls: "smtps", withoutLogin: true }, ""],
    ]) {
        it.live(`${name}, the certificate is verified and no mail is sent`, () => Effect.gen(function* () {
            const fake = yield* FakeSmtp;
            const provider = yield* Smtp.make({ url: Redacted.make(`${Redacted.value(fake.url)}${query}`), from }).pipe(Effect.provide(attachments));
            const error = yield* Effect.flip(provider.send(message));
            assert.strictEqual(error._tag, "ConfigurationError");
            assert.match(error.message, /the certificate of the mail server is not trusted/);
            assert.isEmpty(fake.received);
        }).pipe(Effect.provide(Layer.merge(ports, FakeSmtp.layerWith(server)))));
    }
});
const message = {
    deliveryId: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.email.00000000000000000000000000000000",
    notificationId: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
    userId: "u",
    target: { channel: "email", address: "anna@example.org" },
    title: "Hello",
    text: "World",
    html: "<p>World</p>",
    data: {},
    uuid: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
    attachments: [],
};
describe("DKIM", () => {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
    const key = Redacted.make(String(privateKey.export({ type: "pkcs8", format: "pem" })));
    const record = `v=DKIM1; k=rsa; p=${publicKey.export({ type: "spki", format: "der" }).toString("base64")}`;
    const options = { domain: "example.com", selector: "mail", key };
    /** The verdicts of an independent verifier, which finds the public key where DNS would have it. */
    const verify = (raw) => Effect.callback((resume) => {
        const getKey = (domain, selector, done) => {
            assert.deepStrictEqual([selector, domain], ["mail", "example.com"]);
            done(null, dkim.Key.parse(record));
        };
        Object.assign(dkim, { getKey });
        dkim.verify(Buffer.from(raw), (error, results) => resume(error === null ? Effect.succeed(results ?? []) : Effect.die(error)));
    });
    it.live("an independent verifier accepts the signature over the content and the headers", () => Effect.gen(function* () {
        yield* send("anna@example.org", {
            title: "Grüße =?utf-8?Q?fake?=",
            body: "Zeile\n.\nGrüße ".repeat(50),
            category: "newsletter",
            email: { reply_to: "help@example.com", cc: ["bert@example.org"] },
        });
        const { raw } = yield* firstMail;
        const [first, ...more] = yield* verify(raw);
        assert.isEmpty(more);
        assert.isTrue(first?.verified);
        const signed = String(first?.signature.headers).toLowerCase();
        for (const name of ["from", "to", "cc", "subject", "reply-to", "list-unsubscribe", "list-unsubscribe-post"]) {
            assert.include(signed, name);
        }
        // A changed mail has no valid signature.
        for (const [part, change] of [
            ["bert@example.org", "eve@example.org"],
            ["Zeile", "Seile"],
        ]) {
            const [verdict] = yield* verify(raw.replace(part, change));
            assert.isFalse(verdict?.verified ?? false, part);
        }
    }).pipe(Effect.provide(withSmtp({ dkim: options }))));
    it.live("mail without a template, and with an attachment of every byte, is signed", () => Effect.gen(function* () {
        const sign = yield* Dkim.make(options);
        const raw = Buffer.concat([
            Buffer.from("From: a@example.com\r\nSubject: x\r\n\r\n"),
            Buffer.from("a \t b\r\n\r\n\r\n"),
        ]);
        const [verdict] = yield* verify((yield* sign(raw)).toString());
        assert.isTrue(verdict?.verified);
    }));
    it.effect("a key that is no RSA key of 1,024 bits is a fault at start", () => Effect.gen(function* () {
        const pem = (made) => Redacted.make(String(made.privateKey.export({ type: "pkcs8", format: "pem" })));
        for (const [bad, expected] of [
            [Redacted.make("nonsense"), /DKIM_KEY is not a private key/],
            [pem(generateKeyPairSync("ed25519")), /must be an RSA key/],
            [pem(generateKeyPairSync("rsa", { modulusLength: 512 })), /at least 1024 bits/],
        ]) {
            const error = yield* Effect.flip(Dkim.make({ ...options, key: bad }));
            assert.match(error.message, expected);
        }
    }));
});
describe("copies by SendGrid and SES", () => {
    const email = {
        reply_to: ["help@example.com"],
        cc: ["anna@example.org", "bert@example.org"],
        bcc: "dora@example.org",
    };
    it.live("SendGrid receives each address once", () => Effect.gen(function* () {
        yield* send("anna@example.org", { email });
        const fake = yield* FakeSendGrid;
        const body = yield* eventually(() => fake.accepted[0]?.body, (found) => found !== undefined);
        assert.deepNestedInclude(body ?? {}, {
            "personalizations[0].cc": [{ email: "bert@example.org" }],
            "personalizations[0].bcc": [{ email: "dora@example.org" }],
            reply_to_list: [{ email: "help@example.com" }],
        });
    }).pipe(Effect.provide(service(Layer.unwrap(Effect.map(FakeSendGrid, ({ apiKey, baseUrl }) => SendGrid.layer({ apiKey, baseUrl, from, reports: true }))).pipe(Layer.provide(attachments))).pipe(Layer.provideMerge(Layer.merge(ports, FakeSendGrid.layer))))));
    it.live("SES receives the copies as destinations; an address with other letters before the @ fails clearly", () => Effect.gen(function* () {
        const fake = yield* FakeSes;
        yield* send("anna@example.org", { email });
        assert.deepInclude(fake.accepted[0], { cc: ["anna@example.org", "bert@example.org"], bcc: ["dora@example.org"] });
        assert.include(fake.accepted[0]?.raw, "Reply-To: help@example.com");
        assert.notInclude(fake.accepted[0]?.raw, "dora");
        assert.deepInclude((yield* send("grüße@example.org")).summary, {
            status: "failed",
            reason: "smtputf8_unsupported",
        });
    }).pipe(Effect.provide(service(Layer.unwrap(Effect.map(FakeSes, ({ credentials, endpoint, region }) => Ses.layer({ credentials, endpoint, region, from, reports: true }))).pipe(Layer.provide(attachments))).pipe(Layer.provideMerge(Layer.merge(ports, FakeSes.layer))))));
});
