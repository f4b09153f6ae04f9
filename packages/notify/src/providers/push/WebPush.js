/**
 * Push to browsers: RFC 8030, encrypted by RFC 8291, signed by VAPID (RFC 8292). Setup: a VAPID key pair and a contact.
 *
 * Endpoints are URLs that users supply. They are called only on the public internet. The responses of an endpoint
 * affect only its host: failures open the circuit of that host, and rejections pause no other host.
 *
 * | response | result |
 * |---|---|
 * | 201, 200, 202, 204 | accepted |
 * | 404, 410 | invalid target |
 * | 401, 403 | refusal `vapid_refused`: the subscription used another key |
 * | 403 BadJwtToken by Apple | configuration error: Apple rejects `VAPID_SUBJECT` |
 * | 413 | permanent `payload_too_large` |
 * | 429 | throttled: `Retry-After`, else 60 s |
 * | 5xx | transient |
 * | other 4xx | permanent |
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors";
import { Clock, Duration, Effect, Redacted } from "effect";
import { hash } from "node:crypto";
import { layer as providerLayer, InvalidTarget, Refusal, } from "../../provider/Provider.ts";
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts";
import { parseRetryAfter } from "../HttpCall.ts";
import * as PublicHttps from "../PublicHttps.ts";
import * as CachedToken from "../CachedToken.ts";
import * as PushPayload from "./PushPayload.ts";
const name = "web_push";
/** The payload that every push service accepts after encryption. */
const maxBytes = 3_993;
/** 2,419,200 s. Push services refuse a longer time. */
const maxTtl = Duration.toSeconds(Duration.days(28));
const defaultRetryAfterMillis = 60_000;
/** RFC 8292 allows at most 24 h. */
const tokenLifetime = Duration.hours(12);
const maxOrigins = 500;
export const layer = (options) => providerLayer(make(options));
export const webPush = ProviderDescriptor.define({
    name,
    title: "Web Push",
    channel: "web_push",
    settings: {
        VAPID_PUBLIC_KEY: {
            kind: "text",
            isRequired: true,
            description: "public VAPID key of Web Push, base64url",
            defaultText: "off",
            example: "B…",
        },
        VAPID_PRIVATE_KEY: { kind: "secret", isRequired: true, description: "private VAPID key, base64url", example: "…" },
        VAPID_SUBJECT: {
            kind: "text",
            isRequired: true,
            description: "contact for push services: mailto:… or https://…",
            example: "mailto:ops@example.com",
        },
    },
    layer: (settings, { limits }) => layer({
        publicKey: settings.VAPID_PUBLIC_KEY,
        privateKey: settings.VAPID_PRIVATE_KEY,
        subject: settings.VAPID_SUBJECT,
        ...limits,
    }),
});
export const make = Effect.fnUntraced(function* (options) {
    const { importJWK, SignJWT } = yield* Effect.promise(() => import("jose"));
    const { default: webpush } = yield* Effect.promise(() => import("web-push"));
    const key = yield* keyOf(options, importJWK);
    const subjectFault = faultOfSubject(options.subject);
    if (subjectFault !== undefined)
        return yield* misconfigured("VAPID_SUBJECT", subjectFault);
    const https = yield* PublicHttps.make({
        dependency: name,
        server: "the push service",
        privateEndpoints: options.privateEndpoints,
    });
    const tokens = new Map();
    const tokenFor = (origin) => {
        const cached = tokens.get(origin);
        if (cached !== undefined)
            return cached.get;
        const token = CachedToken.make(Effect.gen(function* () {
            const now = Math.floor((yield* Clock.currentTimeMillis) / 1000);
            const value = yield* Effect.promise(() => new SignJWT({})
                .setProtectedHeader({ alg: "ES256", typ: "JWT" })
                .setAudience(origin)
                .setSubject(options.subject)
                .setExpirationTime(now + Duration.toSeconds(tokenLifetime) + 3_600)
                .sign(key));
            return { value, ttlMillis: Duration.toMillis(tokenLifetime) };
        }));
        tokens.set(origin, token);
        if (tokens.size > maxOrigins)
            for (const oldest of tokens.keys())
                if (tokens.delete(oldest))
                    break;
        return token.get;
    };
    const send = Effect.fnUntraced(function* (message) {
        const { target } = message;
        if (target.channel !== "web_push")
            return yield* wrongTarget;
        const url = new URL(target.subscription.endpoint);
        const payload = payloadOf(message);
        if (Buffer.byteLength(payload) > maxBytes) {
            return yield* new PermanentError({
                code: "payload_too_large",
                message: `the push has ${Buffer.byteLength(payload)} bytes, browsers accept ${maxBytes}; shorten title, body or data${PushPayload.largestField(message)}`,
            });
        }
        const now = yield* Clock.currentTimeMillis;
        const { expiresAt } = message;
        const details = yield* Effect.try({
            try: () => webpush.generateRequestDetails(target.subscription, payload, {
                TTL: expiresAt === undefined ? maxTtl : Math.min(maxTtl, Math.max(0, Math.floor((expiresAt - now) / 1000))),
                urgency: message.push?.priority ?? "high",
                topic: topicOf(message.collapseKey ?? message.uuid),
            }),
            catch: (cause) => new PermanentError({ code: "malformed_token", message: "the subscription's keys are invalid", cause }),
        });
        const token = yield* tokenFor(url.origin);
        const headers = { ...details.headers, Authorization: `vapid t=${token}, k=${options.publicKey}` };
        return yield* classify(yield* https.post(url, headers, details.body), isApple(url));
    });
    return {
        name,
        channels: ["web_push"],
        reports: false,
        ...(options.maxPerSecond === undefined ? {} : { maxPerSecond: options.maxPerSecond }),
        circuitKey: ({ target }) => target.channel === "web_push" && URL.canParse(target.subscription.endpoint)
            ? new URL(target.subscription.endpoint).host
            : "",
        send,
    };
});
/** Apple refuses every push whose contact has no public domain. */
const faultOfSubject = (subject) => {
    const [, domain] = /^mailto:[^\s@]+@([^\s@]+)$/.exec(subject) ?? [];
    const host = domain ?? (/^https:\/\/\S+$/.test(subject) && URL.canParse(subject) ? new URL(subject).hostname : undefined);
    if (host === undefined)
        return "must be a contact that starts with mailto: or https://";
    const isPublicName = /^[^.]+(\.[^.]+)+$/.test(host) && !/^[0-9.]+$|\.(localhost|local|internal|invalid)$/i.test(host);
    return isPublicName
        ? undefined
        : `must name a public domain: Apple refuses every push with the contact ${JSON.stringify(subject)}`;
};
const isApple = ({ hostname }) => hostname.endsWith(".push.apple.com");
const classify = Effect.fnUntraced(function* ({ headers, status, text }, isAppleServer) {
    if (status >= 200 && status < 300) {
        const location = headers.get("location");
        return location === null ? {} : { providerId: location };
    }
    const message = `the push service responded with ${status} ${text.replace(/[\s\p{Cc}]+/gu, " ")}`.trim();
    if (status === 404 || status === 410)
        return yield* new InvalidTarget({ reason: "unsubscribed", message });
    if (status === 429) {
        const retryAfterMillis = (yield* parseRetryAfter(headers)) ?? defaultRetryAfterMillis;
        return yield* new TransientError({ dependency: name, code: "throttled", message, retryAfterMillis });
    }
    if (status >= 500)
        return yield* unavailable(message, yield* parseRetryAfter(headers));
    if (status === 401 || status === 403) {
        // Apple's name for a token whose contact it does not accept; a wrong key has another name.
        if (isAppleServer && text.includes('"BadJwtToken"'))
            return yield* misconfigured("VAPID_SUBJECT", `was rejected; set a contact on the public internet: ${message}`);
        const setting = "VAPID_PUBLIC_KEY";
        return yield* new Refusal({ fault: "recipient", reason: "vapid_refused", setting, message });
    }
    return yield* new PermanentError({ code: status === 413 ? "payload_too_large" : "refused", message });
});
/** RFC 8030 allows 32 base64url characters. Longer keys are hashed: cut, keys with the same start would collide. */
const topicOf = (key) => Buffer.byteLength(key) <= 24 ? Buffer.from(key).toString("base64url") : hash("sha256", key, "base64url").slice(0, 32);
/** The object that the page's service worker receives; `showNotification` accepts most fields as they are. */
const payloadOf = (message) => {
    const { collapseKey, data, push = {}, text, title, uuid } = message;
    const { actions, badge, category, image, sound, thread_id } = push;
    return JSON.stringify({
        title,
        body: text,
        data,
        tag: collapseKey ?? uuid,
        // Without content for the reader: the page should only update itself.
        ...(PushPayload.isSilent(message) ? { background: true } : {}),
        ...(image === undefined ? {} : { image }),
        ...(actions === undefined ? {} : { actions }),
        ...(badge === undefined ? {} : { badge_count: badge }),
        ...(category === undefined ? {} : { category }),
        ...(thread_id === undefined ? {} : { thread_id }),
        ...(sound === undefined ? {} : sound === false ? { silent: true } : { sound: sound === true ? "default" : sound }),
    });
};
const keyOf = ({ privateKey, publicKey }, importJWK) => {
    const point = Buffer.from(publicKey, "base64url");
    if (point.length !== 65 || point[0] !== 4) {
        return Effect.fail(misconfigured("VAPID_PUBLIC_KEY", "must be an uncompressed P-256 point in base64url, 65 bytes"));
    }
    return Effect.tryPromise({
        try: () => importJWK({
            kty: "EC",
            crv: "P-256",
            x: point.subarray(1, 33).toString("base64url"),
            y: point.subarray(33).toString("base64url"),
            d: Redacted.value(privateKey),
        }, "ES256"),
        catch: () => misconfigured("VAPID_PRIVATE_KEY", "must be the key of VAPID_PUBLIC_KEY, in base64url"),
    });
};
const wrongTarget = new PermanentError({
    code: "wrong_recipient",
    message: "the target is not a Web Push subscription",
});
const misconfigured = (setting, message) => new ConfigurationError({ setting, message: `${setting} ${message}` });
const unavailable = (message, retryAfterMillis) => new TransientError({
    dependency: name,
    code: "unavailable",
    message,
    ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }),
});
