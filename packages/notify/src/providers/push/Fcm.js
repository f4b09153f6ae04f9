/**
 * Push by Firebase Cloud Messaging, HTTP v1. Setup: the JSON of a service account with the role
 * `Firebase Cloud Messaging API Admin`.
 *
 * | response | result |
 * |---|---|
 * | 404 UNREGISTERED | invalid target |
 * | 400 with FcmError INVALID_ARGUMENT | refusal `invalid_argument`: the token may be at fault |
 * | 400 otherwise, and for a topic or a condition | permanent, reason `bad_request` |
 * | 401 | the access token is renewed once, then configuration error |
 * | 403 SENDER_ID_MISMATCH | refusal: a token of another project, or the service account is of another |
 * | 401 THIRD_PARTY_AUTH_ERROR | misconfigured kind: messages to Apple devices and browsers wait, others are sent |
 * | other 403, 404 | configuration error |
 * | 429 QUOTA_EXCEEDED | throttled: `Retry-After`, else 60 s |
 * | 500, 503, others | transient: `Retry-After` where given |
 * | 200 without the name of a message | transient: a proxy may have responded in place of FCM |
 *
 * A push that FCM would refuse fails before the first call: a reserved key in `data`, a payload over 4,096 bytes.
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors";
import { Clock, Effect, Redacted, Schema } from "effect";
import { collapseIdOf, TargetKindMisconfigured, layer as providerLayer, InvalidTarget, Refusal, } from "../../provider/Provider.ts";
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts";
import { httpProtocols } from "../../provider/ProviderSettings.ts";
import * as HttpCall from "../HttpCall.ts";
import * as CachedToken from "../CachedToken.ts";
import * as PushApps from "./PushApps.ts";
import * as PushPayload from "./PushPayload.ts";
const Account = Schema.Struct({
    project_id: Schema.NonEmptyString,
    client_email: Schema.NonEmptyString,
    private_key: Schema.NonEmptyString,
    token_uri: Schema.NonEmptyString,
});
const decodeAccount = Schema.decodeUnknownEffect(Schema.fromJsonString(Account));
const decodeApps = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Record(Schema.String, Account)));
const name = "fcm";
const maxBytes = 4_096;
const scope = "https://www.googleapis.com/auth/firebase.messaging";
const defaultRetryAfterMillis = 60_000;
export const layer = (options) => providerLayer(make(options));
export const fcm = ProviderDescriptor.define({
    name,
    title: "FCM",
    channel: "fcm",
    settings: {
        FCM_SERVICE_ACCOUNT: {
            kind: "jsonSecret",
            properties: ["project_id", "client_email", "private_key"],
            isRequired: true,
            description: "service account of Firebase Cloud Messaging, as JSON",
            defaultText: "off",
            example: "{…}",
        },
        FCM_APPS: {
            kind: "jsonSecret",
            properties: [],
            description: "service accounts of further Firebase projects, as a JSON object by the `app` of their devices",
            example: "{…}",
        },
        FCM_BASE_URL: {
            kind: "url",
            protocols: httpProtocols,
            description: "base URL of FCM, for tests",
            example: "https://fcm.googleapis.com",
        },
    },
    layer: ({ FCM_APPS: apps, FCM_BASE_URL: baseUrl, FCM_SERVICE_ACCOUNT: serviceAccount }, { limits }) => layer({
        serviceAccount,
        ...(apps === undefined ? {} : { apps }),
        ...(baseUrl === undefined ? {} : { baseUrl }),
        ...limits,
    }),
});
export const make = Effect.fnUntraced(function* (options) {
    const account = yield* Effect.mapError(decodeAccount(Redacted.value(options.serviceAccount)), 
    // The decoder's message could contain a part of the key.
    () => misconfigured("is not a service account: it needs project_id, client_email, private_key and token_uri"));
    const apps = options.apps === undefined
        ? {}
        : yield* Effect.mapError(decodeApps(Redacted.value(options.apps)), () => new ConfigurationError({
            setting: "FCM_APPS",
            message: 'FCM_APPS is not an object of service accounts by app, such as {"driver": {"project_id": …}}',
        }));
    const send = yield* makeSend(account, options);
    const senders = new Map();
    for (const [app, other] of Object.entries(apps))
        senders.set(app, yield* makeSend(other, options));
    return {
        name,
        channels: ["fcm"],
        reports: false,
        ...(options.maxPerSecond === undefined ? {} : { maxPerSecond: options.maxPerSecond }),
        send: (message) => {
            const app = PushApps.appOf(message);
            const sendOfApp = app === undefined ? send : senders.get(app);
            return sendOfApp === undefined ? Effect.fail(PushApps.unknown(message, "FCM_APPS")) : sendOfApp(message);
        },
    };
});
/** The calls of one Firebase project. */
const makeSend = Effect.fnUntraced(function* (account, options) {
    const { importPKCS8, SignJWT } = yield* Effect.promise(() => import("jose"));
    const key = yield* Effect.tryPromise({
        // JSON from a shell or an env file has its line breaks escaped twice.
        try: () => importPKCS8(account.private_key.replaceAll("\\n", "\n"), "RS256"),
        catch: () => misconfigured("has a private_key that is not an RSA key in PKCS #8"),
    });
    const token = CachedToken.make(Effect.gen(function* () {
        const now = Math.floor((yield* Clock.currentTimeMillis) / 1000);
        const assertion = yield* Effect.promise(() => new SignJWT({ scope })
            .setProtectedHeader({ alg: "RS256", typ: "JWT" })
            .setIssuer(account.client_email)
            .setAudience(account.token_uri)
            .setIssuedAt(now)
            .setExpirationTime(now + 3_600)
            .sign(key));
        const response = yield* HttpCall.call(name, account.token_uri, {
            method: "POST",
            headers: { "content-type": "application/x-www-form-urlencoded" },
            body: new URLSearchParams({
                grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
                assertion,
            }).toString(),
        }).pipe(
        // No message was sent yet, so a lost response is harmless.
        Effect.catchTag("UnknownOutcome", ({ message }) => Effect.fail(unavailable(message))));
        const access = decodeAccess(yield* HttpCall.parseJson(response.text));
        if (response.status === 200 && access._tag === "Some") {
            const { access_token: value, expires_in } = access.value;
            return { value, ttlMillis: Math.max(30, expires_in - 300) * 1000 };
        }
        if (response.status >= 500 || response.status === 429) {
            return yield* unavailable(`the token endpoint responded with ${response.status}`);
        }
        const reason = decodeTokenError(yield* HttpCall.parseJson(response.text));
        const { error = "", error_description = "" } = reason._tag === "Some" ? reason.value : {};
        return yield* misconfigured(`was rejected by its token endpoint with ${response.status} ${error} ${error_description}`.trimEnd() +
            "; check that the key still exists and that the clock of this machine is right");
    }));
    const url = `${options.baseUrl ?? "https://fcm.googleapis.com"}/v1/projects/${account.project_id}/messages:send`;
    return Effect.fnUntraced(function* (message) {
        const body = yield* bodyOf(message);
        const post = (access) => HttpCall.call(name, url, {
            method: "POST",
            headers: { authorization: `Bearer ${access}`, "content-type": "application/json" },
            body,
        });
        const access = yield* token.get;
        const first = yield* post(access);
        const isOneDevice = "token" in message.target;
        if (first.status !== 401)
            return yield* classify(first, isOneDevice);
        const { code } = yield* errorOf(first.text);
        if (code === "THIRD_PARTY_AUTH_ERROR")
            return yield* classify(first, isOneDevice);
        yield* token.invalidate(access);
        return yield* classify(yield* post(yield* token.get), isOneDevice);
    });
});
const classify = Effect.fnUntraced(function* (response, isOneDevice) {
    const { status } = response;
    if (status === 200) {
        const accepted = decodeAccepted(yield* HttpCall.parseJson(response.text));
        if (accepted._tag === "Some")
            return { providerId: accepted.value.name };
        return yield* unavailable("FCM's address responded with 200 and without the name of a message: a proxy may have responded in its place");
    }
    const { code, fcm, message } = yield* errorOf(response.text);
    const retryAfterMillis = yield* HttpCall.parseRetryAfter(response.headers);
    if (status === 404 && code === "UNREGISTERED")
        return yield* new InvalidTarget({ reason: "unregistered", message });
    if (status === 400) {
        if (!fcm || code !== "INVALID_ARGUMENT" || !isOneDevice)
            return yield* new PermanentError({ code: "bad_request", message });
        const reason = "invalid_argument";
        return yield* new Refusal({ fault: "recipient", reason, setting: "FCM_SERVICE_ACCOUNT", message });
    }
    if (status === 403 && code === "SENDER_ID_MISMATCH") {
        return yield* new Refusal({
            fault: "recipient",
            reason: "sender_id_mismatch",
            setting: "FCM_SERVICE_ACCOUNT",
            message: `the token was registered with another Firebase project: ${message}`,
        });
    }
    if (status === 401 && code === "THIRD_PARTY_AUTH_ERROR") {
        return yield* new TargetKindMisconfigured({
            kind: "apple_and_browsers",
            message: `the APNs key or the Web Push certificate in the Firebase project is missing or rejected; upload it there, under Cloud Messaging: ${message}`,
        });
    }
    if (status === 401 || status === 403 || status === 404) {
        return yield* misconfigured(`does not permit this call: ${status} ${code} ${message}`);
    }
    if (status === 429) {
        return yield* new TransientError({
            dependency: name,
            code: "throttled",
            message: `FCM throttled the call: ${message}`,
            retryAfterMillis: retryAfterMillis ?? defaultRetryAfterMillis,
        });
    }
    if (status >= 500)
        return yield* unavailable(`FCM responded with ${status} ${code}`, retryAfterMillis);
    return yield* new PermanentError({ code: "refused", message: `FCM responded with ${status} ${code} ${message}` });
});
const bodyOf = (message) => Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const { collapseKey, data, expiresAt, push = {}, target, text, title, uuid } = message;
    const reserved = Object.keys(data).find(isReserved);
    if (reserved !== undefined) {
        return Effect.fail(new PermanentError({
            code: "reserved_key",
            message: `data.${reserved} has a name that FCM reserves; rename it. Reserved are from, message_type, and names that begin with google. or gcm.`,
        }));
    }
    const aps = PushPayload.apsOf(message);
    if (typeof aps === "string")
        return Effect.fail(new PermanentError({ code: "invalid_payload", message: aps }));
    const ttl = expiresAt === undefined ? undefined : secondsUntil(expiresAt, now);
    const isSilent = PushPayload.isSilent(message);
    const { actions, badge, category, image, priority, sound } = push;
    const { aps: _aps, ...rest } = data;
    const tag = collapseKey ?? uuid;
    const content = {
        ...(isSilent ? {} : { notification: { title, body: text, ...(image === undefined ? {} : { image }) } }),
        data: stringValues(actions === undefined || "actions" in rest ? rest : { ...rest, actions }),
        android: {
            // The device shows one notification per tag, so a repetition replaces it. Only the publisher sets a collapse
            // key, as FCM stores at most four of them for an offline device.
            ...(isSilent
                ? {}
                : {
                    notification: {
                        tag,
                        ...(sound === undefined || sound === false ? {} : { sound: sound === true ? "default" : sound }),
                        ...(badge === undefined ? {} : { notification_count: badge }),
                        ...(category === undefined ? {} : { channel_id: category }),
                    },
                }),
            ...(priority === undefined ? {} : { priority: priority === "high" ? "HIGH" : "NORMAL" }),
            ...(collapseKey === undefined ? {} : { collapse_key: collapseKey }),
            ...(ttl === undefined ? {} : { ttl: `${ttl}s` }),
        },
        apns: {
            headers: {
                "apns-id": uuid,
                "apns-collapse-id": collapseIdOf(message),
                ...(isSilent ? { "apns-push-type": "background" } : {}),
                ...(isSilent || priority !== undefined ? { "apns-priority": PushPayload.apnsPriority(message) } : {}),
                ...(ttl === undefined ? {} : { "apns-expiration": String(Math.floor(now / 1000) + ttl) }),
            },
            // FCM adds the texts.
            ...(Object.keys(aps).length === 0 ? {} : { payload: { aps } }),
            ...(image === undefined ? {} : { fcm_options: { image } }),
        },
        webpush: {
            ...(priority === undefined && ttl === undefined
                ? {}
                : {
                    headers: {
                        ...(priority === undefined ? {} : { Urgency: priority }),
                        ...(ttl === undefined ? {} : { TTL: String(ttl) }),
                    },
                }),
            ...(isSilent
                ? {}
                : {
                    notification: {
                        tag,
                        ...(actions === undefined ? {} : { actions }),
                        ...(sound === false ? { silent: true } : {}),
                    },
                }),
        },
    };
    // FCM counts the texts, the data and the fields of the device, without the token.
    const payload = Buffer.byteLength(JSON.stringify({
        notification: content.notification,
        data: content.data,
        ...("payload" in content.apns ? { aps: content.apns.payload.aps } : {}),
    }));
    if (payload > maxBytes) {
        return Effect.fail(new PermanentError({
            code: "payload_too_large",
            message: `the push has ${payload} bytes, FCM accepts ${maxBytes}; shorten title, body or data${PushPayload.largestField(message)}`,
        }));
    }
    return Effect.succeed(JSON.stringify({ message: { ...addressOf(target), ...content } }));
});
const addressOf = (target) => {
    if (target.channel !== "fcm")
        return {};
    if ("topic" in target)
        return { topic: target.topic };
    return "condition" in target ? { condition: target.condition } : { token: target.token };
};
/** FCM stores a message for at most 28 days and refuses a longer time. */
const maxTtlSeconds = 2_419_200;
const secondsUntil = (expiresAt, now) => Math.min(maxTtlSeconds, Math.max(0, Math.floor((expiresAt - now) / 1000)));
const isReserved = (key) => key === "from" || key === "message_type" || key.startsWith("google.") || key.startsWith("gcm.");
/** FCM accepts only strings in `data`. */
const stringValues = (data) => Object.fromEntries(Object.entries(data).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]));
const decodeAccess = Schema.decodeUnknownOption(Schema.Struct({ access_token: Schema.String, expires_in: Schema.Finite }));
const decodeTokenError = Schema.decodeUnknownOption(Schema.Struct({ error: Schema.optionalKey(Schema.String), error_description: Schema.optionalKey(Schema.String) }));
const decodeAccepted = Schema.decodeUnknownOption(Schema.Struct({ name: Schema.String }));
const decodeError = Schema.decodeUnknownOption(Schema.Struct({
    error: Schema.Struct({
        message: Schema.optionalKey(Schema.String),
        status: Schema.optionalKey(Schema.String),
        details: Schema.optionalKey(Schema.Array(Schema.Struct({ "@type": Schema.String, errorCode: Schema.optionalKey(Schema.String) }))),
    }),
}));
const errorOf = (text) => Effect.map(HttpCall.parseJson(text), (value) => {
    const error = decodeError(value);
    if (error._tag === "None")
        return { code: "", fcm: false, message: text.slice(0, 200) };
    const { details = [], message = "", status = "" } = error.value.error;
    const detail = details.find((one) => one["@type"].endsWith("google.firebase.fcm.v1.FcmError"));
    return { code: detail?.errorCode ?? status, fcm: detail !== undefined, message };
});
const misconfigured = (message) => new ConfigurationError({ setting: "FCM_SERVICE_ACCOUNT", message: `FCM_SERVICE_ACCOUNT ${message}` });
const unavailable = (message, retryAfterMillis) => new TransientError({
    dependency: name,
    code: "unavailable",
    message,
    ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }),
});
