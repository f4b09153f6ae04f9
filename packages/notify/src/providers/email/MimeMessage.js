/**
 * The bytes and the envelope of a mail for SMTP. Nearly all mails have plain headers and short texts. They are written
 * here directly, because composing with nodemailer's tree of parts costs more CPU than the rest of the delivery. The
 * bytes are the same as nodemailer's (see the tests). Every other mail is composed by nodemailer.
 */
import { PermanentError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
import MailComposer from "nodemailer/lib/mail-composer";
import * as MimeFuncs from "nodemailer/lib/mime-funcs";
import { toNodemailer } from "./Mail.ts";
import * as HeaderText from "./HeaderText.ts";
import * as MimeText from "./MimeText.ts";
/** Longer header lines are folded. */
const maxLineLength = 76;
/** Creates a writer of mails from one sender. */
export const makeWriter = (from) => {
    const protectedFrom = { name: HeaderText.breakLookAlikes(from.name), address: from.address };
    const sample = new MailComposer({ from: protectedFrom, to: "a@example.org", subject: "a", text: "a" }).compile();
    const [fromHeader] = /^From: .*(?:\r\n[ \t].*)*/m.exec(sample.buildHeaders()) ?? [];
    const envelopeFrom = sample.getEnvelope().from;
    /** Undefined if the mail needs nodemailer: attachments, encoded headers, long or empty texts. */
    const writeSimple = (mail, date, boundary) => {
        const { attachments, headers, html, messageId, subject, text, to } = mail;
        if (fromHeader === undefined || typeof envelopeFrom !== "string")
            return undefined;
        if (mail.from.name !== from.name || mail.cc.length + mail.bcc.length + mail.replyTo.length > 0)
            return undefined;
        if (attachments.length > 0 || html === undefined || !isPlainAddress(to) || !isPlainSubject(subject))
            return undefined;
        if (Math.max(text.length, html.length) > MimeText.maxTextLength || text === "" || html === "")
            return undefined;
        let head = "";
        for (const [name, value] of Object.entries(headers))
            head += `${MimeFuncs.foldLines(`${name}: ${value}`, maxLineLength)}\r\n`;
        head += `${fromHeader}\r\nTo: ${to}\r\nSubject: ${subject}\r\n${MimeFuncs.foldLines(`Message-ID: ${messageId}`, maxLineLength)}\r\n`;
        head += `Date: ${date.toUTCString().replace("GMT", "+0000")}\r\nMIME-Version: 1.0\r\n`;
        head += `Content-Type: multipart/alternative;\r\n boundary="${boundary}"\r\n\r\n`;
        const body = `--${boundary}\r\n${part("plain", text)}\r\n--${boundary}\r\n${part("html", html)}\r\n--${boundary}--\r\n`;
        return { envelope: { from: envelopeFrom, to: [to] }, content: Buffer.from(head + body) };
    };
    const write = (mail) => Effect.suspend(() => {
        const random = crypto.randomUUID();
        const boundary = `--_NmP-${random.slice(0, 8)}${random.slice(-8)}-Part_1`;
        const written = writeSimple(mail, new Date(), boundary);
        return written === undefined ? composeWithNodemailer(mail) : Effect.succeed(written);
    });
    return { writeSimple, write };
};
const composeWithNodemailer = (mail) => Effect.tryPromise({
    try: async () => {
        const node = new MailComposer(toNodemailer(mail)).compile();
        const { from, to } = node.getEnvelope();
        return {
            envelope: { from: typeof from === "string" ? from : "", to },
            content: MimeText.serialize(node) ?? (await node.build()),
        };
    },
    catch: (cause) => new PermanentError({
        code: "refused",
        message: "the mail cannot be composed; check its addresses, headers and attachments",
        cause,
    }),
});
/** One that nodemailer neither quotes nor converts, on a line of its own. */
const isPlainAddress = (address) => address.length <= 64 && /^[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[a-z0-9-]+\.)+[a-z][a-z0-9-]*$/.test(address);
/** One that is neither encoded nor folded. */
const isPlainSubject = (subject) => subject.length > 0 &&
    subject.length <= 60 &&
    /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(subject) &&
    !/"|=\?/.test(subject);
const part = (kind, text) => {
    const encoding = encodingOf(text);
    return `Content-Type: text/${kind}; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${MimeText.encodeText(text, encoding)}`;
};
const encodingOf = (text) => {
    if (MimeFuncs.isPlainText(text) && !MimeFuncs.hasLongerLines(text, maxLineLength))
        return "7bit";
    return isMostlyLatin(text) ? "quoted-printable" : "base64";
};
/** Whether it has more letters than characters that quoted-printable would lengthen. */
const isMostlyLatin = (text) => {
    const letters = text.match(/[a-z]/gi)?.length ?? 0;
    // oxlint-disable-next-line no-control-regex
    const others = text.match(/[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\uffff]/g)?.length ?? 0;
    return others < letters;
};
