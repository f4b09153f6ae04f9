/**
 * E-mail by SendGrid. Setup: an API key with the permission Mail Send, `MAIL_FROM` as a verified sender, and for
 * delivery reports the event webhook with its public key.
 *
 * | response | result |
 * |---|---|
 * | 202 | accepted |
 * | other 2xx | unknown outcome: a proxy may have responded |
 * | 429 | throttled until `X-RateLimit-Reset` |
 * | 401, 403 | configuration error |
 * | 413 | permanent |
 * | 400, other 4xx | refusal of the message |
 * | 5xx | transient |
 * | no response | unknown outcome |
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors";
import { Clock, Effect, Redacted, Schema } from "effect";
import { Attachments } from "../../request/Attachments.ts";
import { layer as providerLayer, Refusal, UnknownOutcome } from "../../provider/Provider.ts";
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts";
import { httpProtocols } from "../../provider/ProviderSettings.ts";
import * as HttpCall from "../HttpCall.ts";
import * as HeaderText from "./HeaderText.ts";
import * as Mail from "./Mail.ts";
const name = "sendgrid";
const defaultRetryAfterMillis = 10_000;
export const layer = (options) => providerLayer(make(options));
export const sendGrid = ProviderDescriptor.define({
    name,
    title: "SendGrid",
    channel: "email",
    settings: {
        SENDGRID_API_KEY: {
            kind: "secret",
            isRequired: true,
            description: "API key of SendGrid",
            defaultText: "off",
            example: "SG.…",
        },
        SENDGRID_BASE_URL: {
            kind: "url",
            protocols: httpProtocols,
            description: "base URL of SendGrid, for tests",
            example: "https://api.sendgrid.com",
        },
        SENDGRID_WEBHOOK_KEY: {
            kind: "text",
            description: "public key of SendGrid's event webhook",
            example: "MFkw…",
        },
    },
    layer: (settings, { from, limits }) => layer({
        apiKey: settings.SENDGRID_API_KEY,
        reports: settings.SENDGRID_WEBHOOK_KEY !== undefined,
        ...(settings.SENDGRID_BASE_URL === undefined ? {} : { baseUrl: settings.SENDGRID_BASE_URL }),
        from,
        ...limits,
    }),
    webhook: ({ SENDGRID_WEBHOOK_KEY: key }) => key === undefined ? undefined : import("../../webhooks/SendGridWebhook.ts").then(({ routes }) => routes({ key })),
});
export const make = Effect.fnUntraced(function* (options) {
    const from = yield* Mail.parseSender(options.from);
    const attachments = yield* Attachments;
    const url = `${options.baseUrl ?? "https://api.sendgrid.com"}/v3/mail/send`;
    const send = Effect.fnUntraced(function* (message) {
        const mail = yield* Mail.make(message, from, attachments);
        const response = yield* HttpCall.call(name, url, {
            method: "POST",
            headers: { authorization: `Bearer ${Redacted.value(options.apiKey)}`, "content-type": "application/json" },
            body: JSON.stringify(bodyOf(mail, message.deliveryId)),
        });
        return yield* classify(response);
    });
    return {
        name,
        channels: ["email"],
        reports: options.reports,
        ...(options.maxPerSecond === undefined ? {} : { maxPerSecond: options.maxPerSecond }),
        send,
    };
});
const bodyOf = (mail, deliveryId) => ({
    personalizations: [
        {
            to: [{ email: mail.to }],
            ...copies("cc", mail.cc, [mail.to]),
            ...copies("bcc", mail.bcc, [mail.to, ...mail.cc]),
            custom_args: { delivery_id: deliveryId },
        },
    ],
    from: {
        email: mail.from.address,
        ...(mail.from.name === "" ? {} : { name: HeaderText.breakLookAlikes(mail.from.name) }),
    },
    ...(mail.replyTo.length === 0 ? {} : { reply_to_list: mail.replyTo.map((email) => ({ email })) }),
    // SendGrid rejects an empty subject and an empty body.
    subject: mail.subject === "" ? " " : HeaderText.breakLookAlikes(mail.subject),
    content: [
        { type: "text/plain", value: mail.text === "" ? " " : mail.text },
        ...(mail.html === undefined ? [] : [{ type: "text/html", value: mail.html }]),
    ],
    headers: { ...mail.headers, "Message-ID": mail.messageId },
    ...(mail.attachments.length === 0
        ? {}
        : {
            attachments: mail.attachments.map(({ content, contentId, contentType, filename }) => ({
                content: Buffer.from(content).toString("base64"),
                type: contentType,
                filename,
                ...(contentId === undefined
                    ? { disposition: "attachment" }
                    : { disposition: "inline", content_id: contentId }),
            })),
        }),
});
/** SendGrid rejects a mail that names an address twice. */
const copies = (field, addresses, others) => {
    const known = new Set(others.map((address) => address.toLowerCase()));
    const added = addresses.filter((address) => !known.has(address.toLowerCase()));
    return added.length === 0 ? {} : { [field]: added.map((email) => ({ email })) };
};
const classify = Effect.fnUntraced(function* ({ headers, status, text }) {
    const id = headers.get("x-message-id");
    if (status === 202)
        return id === null ? {} : { providerId: id };
    if (status >= 200 && status < 300) {
        return yield* new UnknownOutcome({
            message: `SendGrid's address responded with ${status}, and SendGrid accepts a mail with 202: a proxy may have responded in its place`,
        });
    }
    const message = `SendGrid responded with ${status} ${yield* messageOf(text)}`.trim();
    if (status === 401 || status === 403) {
        return yield* new ConfigurationError({ setting: "SENDGRID_API_KEY", message: `SENDGRID_API_KEY: ${message}` });
    }
    if (status === 429) {
        const reset = Number(headers.get("x-ratelimit-reset") ?? Number.NaN) * 1000;
        const wait = reset - (yield* Clock.currentTimeMillis);
        return yield* new TransientError({
            dependency: name,
            code: "throttled",
            message,
            retryAfterMillis: Number.isFinite(wait) && wait > 0 ? wait : defaultRetryAfterMillis,
        });
    }
    if (status >= 500) {
        const retryAfterMillis = yield* HttpCall.parseRetryAfter(headers);
        return yield* new TransientError({
            dependency: name,
            code: "unavailable",
            message,
            ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }),
        });
    }
    if (status === 413)
        return yield* new PermanentError({ code: "too_large", message });
    return yield* new Refusal({ fault: "message", reason: "refused", setting: "SENDGRID_API_KEY", message });
});
const decodeErrors = Schema.decodeUnknownOption(Schema.Struct({ errors: Schema.Array(Schema.Struct({ message: Schema.String })) }));
const messageOf = (text) => Effect.map(HttpCall.parseJson(text), (value) => {
    const decoded = decodeErrors(value);
    return decoded._tag === "Some" ? decoded.value.errors.map(({ message }) => message).join("; ") : "";
});
