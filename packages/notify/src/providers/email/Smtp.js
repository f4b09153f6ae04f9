/**
 * E-mail by SMTP. Setup: `SMTP_URL` (`smtp://user:password@host:587`, `smtps://…:465`) and `MAIL_FROM`; `SMTP_CA` for a
 * server whose certificate is from a private authority.
 *
 * `SmtpReply` classifies the replies of the server.
 *
 * A password is sent only over TLS, except to this machine: an attacker who strips STARTTLS from the conversation must
 * not receive it. `?tls=optional` allows it for a server without TLS.
 *
 * Without a password, STARTTLS is opportunistic (RFC 7435): a certificate that cannot be verified still protects against
 * passive readers, and the alternative is plain text. It is verified with a password, for `smtps:`, with `?tls=require`
 * and with `SMTP_CA`.
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors";
import { Duration, Effect, Redacted } from "effect";
import { Readable } from "node:stream";
import { Attachments } from "../../request/Attachments.ts";
import { DeliveryPolicy } from "../../delivery/DeliveryPolicy.ts";
import { layer as providerLayer, UnknownOutcome, } from "../../provider/Provider.ts";
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts";
import * as Mail from "./Mail.ts";
import * as SmtpReply from "./SmtpReply.ts";
const name = "smtp";
export const layer = (options) => providerLayer(make(options));
export const smtp = ProviderDescriptor.define({
    name,
    title: "SMTP",
    channel: "email",
    settings: {
        SMTP_URL: {
            kind: "url",
            protocols: ["smtp:", "smtps:"],
            isRequired: true,
            description: "mail server, smtp://user:password@host:587 or smtps://…:465",
            defaultText: "a local mailbox page",
            example: "smtp://user:…@smtp.example.com:587",
        },
        SMTP_CA: {
            kind: "file",
            description: "path of the CA certificate of the mail server (PEM); mail is then sent over TLS only",
            defaultText: "the public authorities",
            example: "/etc/ssl/mail-ca.pem",
        },
        DKIM_DOMAIN: {
            kind: "text",
            description: "domain of the DKIM signature of SMTP mail, usually that of MAIL_FROM",
            defaultText: "no signature",
            example: "example.com",
        },
        DKIM_SELECTOR: {
            kind: "text",
            description: "selector of the DKIM key; the DNS record is SELECTOR._domainkey.DOMAIN",
            example: "mail",
        },
        DKIM_KEY: {
            kind: "secret",
            description: "private RSA key of the DKIM signature, PEM",
            example: "-----BEGIN PRIVATE KEY-----…",
        },
    },
    layer: (settings, { from, limits }) => {
        const { DKIM_DOMAIN: domain, DKIM_KEY: key, DKIM_SELECTOR: selector, SMTP_CA: ca, SMTP_URL: url } = settings;
        return layer({
            url: Redacted.make(url),
            ...(ca === undefined ? {} : { ca }),
            // The settings are checked at start: all three or none.
            ...(domain === undefined || selector === undefined || key === undefined
                ? {}
                : { dkim: { domain, selector, key } }),
            from,
            ...limits,
        });
    },
});
export const make = Effect.fnUntraced(function* (options) {
    const from = yield* Mail.parseSender(options.from);
    const attachments = yield* Attachments;
    const server = yield* Effect.try({
        try: () => serverOptions(new URL(Redacted.value(options.url))),
        catch: () => misconfigured("SMTP_URL", "must have the form smtp://user:password@host:587"),
    });
    const { connections = 5 } = options;
    const { default: Pool } = yield* Effect.promise(() => import("nodemailer/lib/smtp-pool"));
    const { makeWriter } = yield* Effect.promise(() => import("./MimeMessage.ts"));
    const connectionOptions = {
        ...server,
        ...(options.ca === undefined ? {} : { requireTLS: true, opportunisticTLS: false, tls: { ca: options.ca } }),
        connectionTimeout: 10_000,
        greetingTimeout: 10_000,
        socketTimeout: 30_000,
    };
    const pool = new Pool({
        ...connectionOptions,
        maxConnections: connections,
        maxMessages: Infinity,
        // The worker loop owns the retries.
        maxRequeues: 0,
    });
    const sign = options.dkim === undefined ? Effect.succeed : yield* signer(options.dkim);
    const supportsUtf8 = yield* Effect.cachedWithTTL(readUtf8Support(connectionOptions), utf8SupportTtl);
    yield* Effect.addFinalizer(() => Effect.sync(() => pool.close({ force: true })));
    const { write } = makeWriter(from);
    // At `callTimeout` every outcome is unknown. A server that stalls is reported earlier, with the stage it reached.
    const stallMillis = 0.9 * Duration.toMillis((yield* DeliveryPolicy).callTimeout);
    /** Deliveries that were interrupted before the server received the whole message. */
    const abortedDeliveries = new Set();
    const exchange = (deliveryId, messageId, { content, envelope }) => Effect.callback((resume) => {
        const controller = new AbortController();
        // nodemailer reads the stream as it sends, so its end tells whether the server can have the whole message. Pushed
        // as one chunk the message needs a third of the socket writes.
        const stream = new Readable({ read: () => { } });
        stream.push(content);
        stream.push(null);
        const stallTimer = setTimeout(() => {
            const isComplete = stream.readableEnded;
            controller.abort();
            resume(Effect.fail(isComplete ? unknownOutcome : stalled));
        }, stallMillis);
        pool.send(poolMessage(messageId, envelope, stream, controller.signal), (error, sent) => {
            clearTimeout(stallTimer);
            // The first recipient is the target, the others get copies. Each has its own reply.
            const [target = ""] = envelope.to;
            if (error !== null && error !== undefined)
                return resume(Effect.fail(SmtpReply.toProviderError(rejectionOf(target, error) ?? error, stream.readableEnded)));
            const rejected = rejectionOf(target, sent);
            if (rejected !== undefined)
                return resume(Effect.fail(SmtpReply.toProviderError(rejected, false)));
            const accepted = Effect.succeed({ providerId: messageId });
            const { rejectedErrors = [] } = sent ?? {};
            resume(rejectedErrors.length === 0
                ? accepted
                : Effect.andThen(Effect.logWarning("the mail server rejected copies of a mail", {
                    delivery: deliveryId,
                    replies: rejectedErrors.map(({ message }) => message),
                }), accepted));
        });
        return Effect.sync(() => {
            clearTimeout(stallTimer);
            if (!stream.readableEnded)
                abortedDeliveries.add(deliveryId);
            controller.abort();
        });
    });
    /** A server without SMTPUTF8 must not receive an address that it cannot read (RFC 6531). */
    const requireUtf8Support = Effect.flatMap(supportsUtf8, (isSupported) => isSupported ? Effect.void : Effect.fail(utf8Unsupported));
    const send = (message) => Effect.flatMap(Mail.make(message, from, attachments), (mail) => Effect.flatMap(Mail.needsSmtpUtf8(mail) ? requireUtf8Support : Effect.void, () => Effect.flatMap(write(mail), ({ content, envelope }) => Effect.flatMap(sign(content), (signed) => exchange(message.deliveryId, mail.messageId, { envelope, content: signed })))));
    return {
        name,
        channels: ["email"],
        reports: false,
        // More calls would only wait in nodemailer.
        maxConcurrent: connections,
        ...(options.maxPerSecond === undefined ? {} : { maxPerSecond: options.maxPerSecond }),
        wasAbortedBeforeSend: (deliveryId) => abortedDeliveries.delete(deliveryId),
        send,
    };
});
/** The reply that rejected the target; undefined if the server accepted it or sent no reply of its own. */
const rejectionOf = (target, { rejectedErrors = [] } = {}) => rejectedErrors.find(({ recipient }) => recipient === target);
const utf8SupportTtl = Duration.minutes(10);
/** Whether the server announces SMTPUTF8. Few mails need it, so an own connection asks. */
const readUtf8Support = (options) => Effect.flatMap(Effect.promise(() => import("nodemailer/lib/smtp-connection")), ({ default: Connection }) => Effect.callback((resume) => {
    const connection = new Connection(options);
    connection.once("error", (error) => resume(Effect.fail(SmtpReply.toProviderError(error, false))));
    connection.connect(() => {
        // nodemailer has no public field for it.
        const extensions = Reflect.get(connection, "_supportedExtensions");
        resume(Effect.succeed(Array.isArray(extensions) && extensions.includes("SMTPUTF8")));
        connection.quit();
    });
    return Effect.sync(() => connection.close());
}));
const utf8Unsupported = new PermanentError({
    code: "smtputf8_unsupported",
    message: "the address has other than ASCII characters before the @, and the mail server does not support SMTPUTF8; use an ASCII address, or a server with SMTPUTF8 in SMTP_URL",
});
const signer = (options) => Effect.flatMap(Effect.promise(() => import("./Dkim.ts")), (Dkim) => Dkim.make(options));
/** A message for nodemailer's pool, with the methods that the pool calls. */
const poolMessage = (messageId, envelope, stream, signal) => 
// The declared type is that of nodemailer's composer, which is bypassed here.
({
    data: { signal },
    message: {
        getEnvelope: () => ({ from: envelope.from, to: [...envelope.to] }),
        messageId: () => messageId,
        getHeader: () => messageId,
        createReadStream: () => stream,
    },
});
const serverOptions = (url) => {
    const tls = url.searchParams.get("tls");
    const hasLogin = url.username !== "";
    const requireTLS = tls === "require" || (hasLogin && tls !== "optional" && !isLoopback(url.hostname));
    const isOpportunistic = url.protocol === "smtp:" && tls !== "require" && (!hasLogin || tls === "optional");
    return {
        host: url.hostname.replace(/^\[|\]$/g, ""),
        port: url.port === "" ? (url.protocol === "smtps:" ? 465 : 587) : Number(url.port),
        secure: url.protocol === "smtps:",
        ...(hasLogin ? { auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) } } : {}),
        ...(requireTLS ? { requireTLS } : {}),
        ...(isOpportunistic ? { opportunisticTLS: true, tls: { rejectUnauthorized: false } } : {}),
    };
};
const isLoopback = (host) => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(host);
const unknownOutcome = new UnknownOutcome({ message: "the SMTP server received the message and does not reply" });
const stalled = new TransientError({
    dependency: name,
    code: "unavailable",
    message: "the SMTP server stalled; the message was not sent",
});
const misconfigured = (setting, message) => new ConfigurationError({ setting, message: `${setting}: ${message}` });
