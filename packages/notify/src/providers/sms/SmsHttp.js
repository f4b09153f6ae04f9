/**
 * SMS by any service behind a small HTTP endpoint: `POST SMS_HTTP_URL` with `{"id", "to", "text", "from"?}` and the token as
 * Bearer. `id` is the same for a repetition, also in the header `Idempotency-Key`.
 *
 * | response | result |
 * |---|---|
 * | 2xx, optionally `{"id": "…"}` | accepted |
 * | 401, 403, 404, 3xx | configuration error |
 * | 4xx with `{"error": "invalid_number"}` | invalid target |
 * | 4xx with `{"error": "unsubscribed"}` | permanent |
 * | 429 | throttled until `Retry-After` |
 * | other 4xx | refusal of the message |
 * | 5xx | transient |
 * | no response | unknown outcome |
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors";
import { Effect, Option, Redacted, Schema } from "effect";
import { InvalidTarget, layer as providerLayer, Refusal, } from "../../provider/Provider.ts";
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts";
import { httpProtocols } from "../../provider/ProviderSettings.ts";
import * as HttpCall from "../HttpCall.ts";
import * as SmsText from "./SmsText.ts";
const name = "sms_http";
const defaultRetryAfterMillis = 10_000;
export const layer = (options) => providerLayer(Effect.succeed(make(options)));
export const smsHttp = ProviderDescriptor.define({
    name,
    title: "SMS by HTTP",
    channel: "sms",
    settings: {
        SMS_HTTP_URL: {
            kind: "url",
            protocols: httpProtocols,
            isRequired: true,
            description: "URL of your own SMS endpoint; it gets a POST with id, to, text and from",
            defaultText: "off",
            example: "https://sms.example.com/messages",
        },
        SMS_HTTP_TOKEN: { kind: "secret", description: "token of SMS_HTTP_URL, sent as Bearer", example: "…" },
        SMS_HTTP_FROM: { kind: "text", description: "sender that SMS_HTTP_URL gets", example: "Example" },
    },
    layer: (settings, { limits }) => layer({
        url: settings.SMS_HTTP_URL,
        ...(settings.SMS_HTTP_TOKEN === undefined ? {} : { token: settings.SMS_HTTP_TOKEN }),
        ...(settings.SMS_HTTP_FROM === undefined ? {} : { from: settings.SMS_HTTP_FROM }),
        ...limits,
    }),
});
export const make = ({ from, maxPerSecond, token, url }) => ({
    name,
    channels: ["sms"],
    reports: false,
    ...(maxPerSecond === undefined ? {} : { maxPerSecond }),
    send: Effect.fnUntraced(function* (message) {
        const { text, to } = yield* SmsText.make(message);
        const response = yield* HttpCall.call(name, url, {
            method: "POST",
            headers: {
                "content-type": "application/json",
                "idempotency-key": message.deliveryId,
                ...(token === undefined ? {} : { authorization: `Bearer ${Redacted.value(token)}` }),
            },
            body: JSON.stringify({ id: message.deliveryId, to, text, ...(from === undefined ? {} : { from }) }),
        });
        return yield* classify(response);
    }),
});
const decodeSuccess = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ id: Schema.Union([Schema.String, Schema.Finite]) })));
const decodeError = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ error: Schema.String })));
const classify = Effect.fnUntraced(function* ({ headers, status, text, }) {
    if (status >= 200 && status < 300) {
        const id = Option.getOrUndefined(decodeSuccess(text))?.id;
        return id === undefined ? {} : { providerId: String(id) };
    }
    const error = Option.getOrUndefined(decodeError(text))?.error;
    const message = `the SMS endpoint responded with ${status} ${error ?? ""}`.trim();
    if (status === 429) {
        const retryAfterMillis = (yield* HttpCall.parseRetryAfter(headers)) ?? defaultRetryAfterMillis;
        const code = "throttled";
        return yield* new TransientError({ dependency: name, code, message, retryAfterMillis, countsAsAttempt: false });
    }
    if (status >= 500) {
        const retryAfterMillis = yield* HttpCall.parseRetryAfter(headers);
        const later = retryAfterMillis === undefined ? {} : { retryAfterMillis };
        return yield* new TransientError({ dependency: name, code: "unavailable", message, ...later });
    }
    if (error === "invalid_number")
        return yield* new InvalidTarget({ reason: error, message });
    if (error === "unsubscribed")
        return yield* new PermanentError({ code: error, message });
    if (status === 401 || status === 403)
        return yield* misconfigured("SMS_HTTP_TOKEN", message);
    if (status === 404 || status < 400)
        return yield* misconfigured("SMS_HTTP_URL", message);
    return yield* new Refusal({ fault: "message", reason: "refused", setting: "SMS_HTTP_URL", message });
});
const misconfigured = (setting, message) => new ConfigurationError({ setting, message: `${setting} was rejected: ${message}` });
