import { assert, describe, it } from "@effect/vitest";
import { Effect, Schema } from "effect";
import MailComposer from "nodemailer/lib/mail-composer";
import { fromText } from "../../../src/request/Html.ts";
import * as MimeMessage from "../../../src/providers/email/MimeMessage.ts";
import * as Mail from "../../../src/providers/email/Mail.ts";
import * as MimeText from "../../../src/providers/email/MimeText.ts";
const texts = {
    plain: "Hello,\n\nthis is a mail.\n",
    "without an end of line": "Hello",
    empty: "",
    "one blank": " ",
    "dots and blanks at line ends": ".\n..\nline \t\nend ",
    "bare CR": "a\rb\r",
    "a few other letters": "Grüße aus Köln = schön\r\n",
    "other letters alone": "Привет, мир. Как дела? ".repeat(40),
    "a long line": "word ".repeat(500),
    "a long line without blanks": "x".repeat(3_000),
    "emoji at every place of a line": Array.from({ length: 90 }, (_, at) => `${"y".repeat(at)}😀`).join("\n"),
    "control characters and half a pair": "a\u0000b\u007f\ud800c",
    "as long as it may be": "ä".repeat(18_000),
};
const mail = (text, more = {}) => ({
    from: { name: "Shöp", address: "shop@example.com" },
    to: { name: "", address: "anna@example.org" },
    subject: "Grüße",
    text,
    messageId: "<1@example.com>",
    date: new Date(0),
    baseBoundary: "fixed",
    ...more,
});
/** The bytes of nodemailer and of MimeText. */
const both = Effect.fnUntraced(function* (options) {
    const theirs = yield* Effect.promise(() => new MailComposer(options).compile().build());
    return { theirs: theirs.toString("latin1"), ours: MimeText.serialize(new MailComposer(options).compile()) };
});
describe("MimeText", () => {
    for (const [name, text] of Object.entries(texts)) {
        it.effect(`serializes the same bytes as nodemailer: ${name}`, () => Effect.gen(function* () {
            for (const options of [mail(text), mail(text, { html: fromText("Grüße", text) })]) {
                const { ours, theirs } = yield* both(options);
                assert.strictEqual(ours?.toString("latin1"), theirs);
            }
        }));
    }
    it.effect("leaves mails with attachments or long texts to nodemailer", () => Effect.gen(function* () {
        assert.isUndefined((yield* both(mail("Zeile\n".repeat(4_000)))).ours);
        const { ours } = yield* both(mail("Hello", { attachments: [{ filename: "a", content: Buffer.from("b") }] }));
        assert.isUndefined(ours);
    }));
});
describe("MimeMessage", () => {
    const sender = { name: "Shöp, Ltd.", address: "shop@example.com" };
    const { writeSimple, write } = MimeMessage.makeWriter(sender);
    const of = (more) => ({
        from: sender,
        to: "anna@example.org",
        cc: [],
        bcc: [],
        replyTo: [],
        subject: "Hello",
        text: "World",
        html: "<p>World</p>",
        messageId: "<0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.email.0123456789abcdef@example.com>",
        headers: {},
        attachments: [],
        ...more,
    });
    const unsubscribe = {
        "List-Unsubscribe": `<https://example.com/v1/unsubscribe/${"a".repeat(90)}>`,
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    };
    const date = new Date(1_800_000_000_000);
    /** Undefined where it is left to nodemailer. */
    const agrees = Effect.fnUntraced(function* (mail) {
        const options = { ...Mail.toNodemailer(mail), date, baseBoundary: "0123456789abcdef" };
        const node = new MailComposer(options).compile();
        const theirs = yield* Effect.promise(() => node.build());
        const ours = writeSimple(mail, date, "--_NmP-0123456789abcdef-Part_1");
        if (ours === undefined)
            return false;
        assert.strictEqual(ours.content.toString("latin1"), theirs.toString("latin1"));
        const { from, to } = node.getEnvelope();
        assert.deepStrictEqual(ours.envelope, { from: from === false ? "" : from, to });
        return true;
    });
    it.effect("writes the same bytes as nodemailer, with and without unsubscribe headers", () => Effect.gen(function* () {
        for (const [name, text] of Object.entries(texts)) {
            for (const headers of [{}, unsubscribe]) {
                const quickly = yield* agrees(of({ text, html: fromText("Grüße", text), headers }));
                assert.strictEqual(quickly, text !== "", name);
            }
        }
        for (const subject of ["a", "x".repeat(60), "1 < 2, 'quoted' (so): ok? #7 @ 5 %", "a  b", "a=b?"]) {
            assert.isTrue(yield* agrees(of({ subject })), subject);
        }
        for (const to of ["a.b+c_d-e@mail.example.org", "A@example.org", `${"a".repeat(50)}@example.org`]) {
            assert.isTrue(yield* agrees(of({ to })), to);
        }
    }));
    it.effect("leaves headers that must be encoded, folded or quoted to nodemailer", () => Effect.gen(function* () {
        for (const more of [
            { subject: "" },
            { subject: "Grüße" },
            { subject: 'a "b" c' },
            { subject: "=?UTF-8?Q?a?=" },
            { subject: "word ".repeat(20) },
            { from: { name: "Another", address: "shop@example.com" } },
            { replyTo: ["help@example.com"] },
            { cc: ["bert@example.org"] },
            { subject: "a\r\nBcc: b@example.org" },
            { to: "grüße@example.org" },
            { to: "anna@exämple.org" },
            { to: "anna@Example.org" },
            { to: "a'b@example.org" },
            { to: ".a@example.org" },
            { text: "x".repeat(20_001) },
            { html: undefined },
            { attachments: [{ filename: "a", contentType: "text/plain", content: Buffer.from("b") }] },
        ]) {
            assert.isFalse(yield* agrees(of(more)), JSON.stringify(more));
            const { content } = yield* write(of(more));
            assert.notMatch(content.toString(), /^bcc:/im);
        }
    }));
    it.effect.prop("writes the same bytes as nodemailer for any text", [Schema.String, Schema.String, Schema.String], ([subject, text, html]) => Effect.asVoid(agrees(of({ subject, text, html }))), { arbitrary: { runs: 200 } });
});
