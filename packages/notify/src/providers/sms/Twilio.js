/**
 * SMS by Twilio, or by a service with the same API. Setup: the account, its token, and a sender: a number, an alphanumeric
 * name, or the id of a messaging service (`MG…`). Reports come to `POST /v1/webhooks/twilio` if this installation has a
 * public https URL.
 *
 * | response | result |
 * |---|---|
 * | 201 | accepted |
 * | other 2xx | unknown outcome: a proxy may have responded |
 * | 401, code 20003 | configuration error: `SMS_TOKEN` |
 * | codes 21212, 21603, 21606, 21659, 21660, 21703; 403 | configuration error: `SMS_FROM`, `SMS_ACCOUNT` |
 * | codes 21211, 21217, 21421, 21614 | invalid target |
 * | code 21610 | permanent, reason `unsubscribed`: the recipient replied STOP |
 * | codes 21408, 21612 | refusal: this sender may not reach this number or its country |
 * | 429; codes 21611, 30001 | throttled until `Retry-After` |
 * | other 4xx | refusal of the message |
 * | 5xx | transient |
 * | no response | unknown outcome |
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors";
import { PublicUrl } from "@armoricore/storage/PublicUrl";
import { Clock, Effect, Option, Redacted, Schema } from "effect";
import { InvalidTarget, layer as providerLayer, Refusal, UnknownOutcome, } from "../../provider/Provider.ts";
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts";
import { httpProtocols } from "../../provider/ProviderSettings.ts";
import * as HttpCall from "../HttpCall.ts";
import { blockedReason } from "../PublicAddress.ts";
import * as SmsText from "./SmsText.ts";
import { callbackUrlOf } from "./TwilioCallback.ts";
const name = "twilio";
const defaultRetryAfterMillis = 1_000;
/** The longest time that Twilio may queue a message. */
const maxValiditySeconds = 36_000;
export const layer = (options) => providerLayer(make(options));
export const twilio = ProviderDescriptor.define({
    name,
    title: "Twilio",
    channel: "sms",
    settings: {
        SMS_BASE_URL: {
            kind: "url",
            protocols: httpProtocols,
            description: "base URL of an SMS service with Twilio's API",
            defaultText: "Twilio",
            example: "https://api.twilio.com",
        },
        SMS_ACCOUNT: {
            kind: "text",
            isRequired: true,
            description: "account of Twilio that sends SMS",
            defaultText: "off",
            example: "AC0123456789abcdef",
        },
        SMS_TOKEN: {
            kind: "secret",
            isRequired: true,
            description: "token of SMS_ACCOUNT; it also verifies the delivery reports",
            example: "…",
        },
        SMS_FROM: {
            kind: "text",
            isRequired: true,
            description: "sender of SMS: a number, a name, or the id of a messaging service",
            example: "+15005550006",
        },
    },
    layer: (settings, { limits }) => layer({
        account: settings.SMS_ACCOUNT,
        token: settings.SMS_TOKEN,
        from: settings.SMS_FROM,
        ...(settings.SMS_BASE_URL === undefined ? {} : { baseUrl: settings.SMS_BASE_URL }),
        ...limits,
    }),
    webhook: ({ SMS_TOKEN: token }) => import("../../webhooks/TwilioWebhook.ts").then(({ routes }) => routes({ token })),
});
export const make = Effect.fnUntraced(function* (options) {
    const publicUrl = yield* PublicUrl;
    const base = (options.baseUrl ?? "https://api.twilio.com").replace(/\/+$/, "");
    const url = `${base}/2010-04-01/Accounts/${encodeURIComponent(options.account)}/Messages.json`;
    const credentials = Buffer.from(`${options.account}:${Redacted.value(options.token)}`).toString("base64");
    const send = Effect.fnUntraced(function* (message) {
        const { text, to } = yield* SmsText.make(message);
        const now = yield* Clock.currentTimeMillis;
        const callback = callbackUrlOf(yield* publicUrl.get, message.deliveryId);
        const form = new URLSearchParams({ To: to, Body: text });
        form.set(/^MG[0-9a-f]{32}$/i.test(options.from) ? "MessagingServiceSid" : "From", options.from);
        // Twilio refuses a message whose callback it cannot reach.
        if (blockedReason(callback) === undefined)
            form.set("StatusCallback", callback.href);
        if (message.expiresAt !== undefined) {
            const seconds = Math.ceil((message.expiresAt - now) / 1000);
            form.set("ValidityPeriod", String(Math.min(maxValiditySeconds, Math.max(1, seconds))));
        }
        const response = yield* HttpCall.call(name, url, {
            method: "POST",
            headers: { authorization: `Basic ${credentials}`, "content-type": "application/x-www-form-urlencoded" },
            body: form.toString(),
        });
        return yield* classify(response);
    });
    return {
        name,
        channels: ["sms"],
        reports: true,
        ...(options.maxPerSecond === undefined ? {} : { maxPerSecond: options.maxPerSecond }),
        send,
    };
});
const decodeSuccess = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ sid: Schema.String })));
const decodeError = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ code: Schema.Finite, message: Schema.optionalKey(Schema.String) })));
const invalidNumberCodes = new Set([21_211, 21_217, 21_421, 21_614]);
const senderCodes = new Set([21_212, 21_603, 21_606, 21_659, 21_660, 21_703]);
const unreachableCodes = new Set([21_408, 21_612]);
const queueCodes = new Set([21_611, 30_001]);
const unsubscribedCode = 21_610;
const authenticationCode = 20_003;
const classify = Effect.fnUntraced(function* ({ headers, status, text, }) {
    if (status >= 200 && status < 300) {
        const accepted = Option.getOrUndefined(decodeSuccess(text));
        return accepted === undefined
            ? yield* new UnknownOutcome({ message: `Twilio responded with ${status} without the id of a message` })
            : { providerId: accepted.sid };
    }
    const error = Option.getOrUndefined(decodeError(text));
    const code = error?.code ?? 0;
    const message = `Twilio responded with ${status}${code === 0 ? "" : ` code ${code}`} ${error?.message ?? ""}`.trim();
    if (status === 429 || queueCodes.has(code)) {
        const retryAfterMillis = (yield* HttpCall.parseRetryAfter(headers)) ?? defaultRetryAfterMillis;
        const later = { retryAfterMillis, countsAsAttempt: false };
        return yield* new TransientError({ dependency: name, code: "throttled", message, ...later });
    }
    if (status >= 500) {
        const retryAfterMillis = yield* HttpCall.parseRetryAfter(headers);
        const later = retryAfterMillis === undefined ? {} : { retryAfterMillis };
        return yield* new TransientError({ dependency: name, code: "unavailable", message, ...later });
    }
    if (status === 401 || code === authenticationCode)
        return yield* misconfigured("SMS_TOKEN", message);
    if (senderCodes.has(code))
        return yield* misconfigured("SMS_FROM", message);
    if (invalidNumberCodes.has(code))
        return yield* new InvalidTarget({ reason: "invalid_number", message });
    if (code === unsubscribedCode)
        return yield* new PermanentError({ code: "unsubscribed", message });
    if (unreachableCodes.has(code))
        return yield* new Refusal({ fault: "recipient", reason: "unreachable", setting: "SMS_FROM", message });
    if (status === 403)
        return yield* misconfigured("SMS_ACCOUNT", message);
    const reason = code === 0 ? "refused" : `code_${code}`;
    return yield* new Refusal({ fault: "message", reason, setting: "SMS_FROM", message });
});
const misconfigured = (setting, message) => new ConfigurationError({ setting, message: `${setting} was rejected: ${message}` });
