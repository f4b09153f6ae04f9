/**
 * Apple's push service for tests: TLS and HTTP/2, as strict as the real one where clients go wrong.
 *
 * - The provider token's ES256 signature, key id, team and age are verified on every request.
 * - One stream at a time until a request with a valid token was answered; a second one is reset.
 * - `goAway` ends the sessions in flight: streams that were answered stay answered, later ones are not seen.
 * - What a device token begins with decides the answer: `reason` turns Apple's reasons into such tokens; `cc` is taken
 *   and the connection lost, `dd` is taken and the first time not answered.
 */
import { Context, Effect, Layer, Redacted } from "effect";
import { exportPKCS8, generateKeyPair, jwtVerify } from "jose";
import * as Http2 from "node:http2";
import { listen } from "../LocalPort.ts";
import { certificate, privateKey as tlsKey } from "./TestCertificate.ts";
export class FakeApns extends Context.Service()("@armoricore/testing/FakeApns") {
    static layer = Layer.effect(FakeApns, Effect.suspend(() => make()));
    /** `maxStreams`: what the settings frame allows once the token is trusted. */
    static layerWith = (options) => Layer.effect(FakeApns, make(options));
}
/** Apple's reasons with their statuses; `times`: only the first so many requests with a token. */
export const reasons = {
    BadCollapseId: { status: 400 },
    BadDeviceToken: { status: 400 },
    BadExpirationDate: { status: 400 },
    BadMessageId: { status: 400 },
    BadPriority: { status: 400 },
    BadTopic: { status: 400 },
    DeviceTokenNotForTopic: { status: 400 },
    DuplicateHeaders: { status: 400 },
    IdleTimeout: { status: 400, times: 1 },
    InvalidPushType: { status: 400 },
    MissingDeviceToken: { status: 400 },
    MissingTopic: { status: 400 },
    PayloadEmpty: { status: 400 },
    TopicDisallowed: { status: 400 },
    BadCertificate: { status: 403 },
    BadCertificateEnvironment: { status: 403 },
    ExpiredProviderToken: { status: 403 },
    Forbidden: { status: 403 },
    InvalidProviderToken: { status: 403 },
    MissingProviderToken: { status: 403 },
    BadPath: { status: 404 },
    MethodNotAllowed: { status: 405 },
    ExpiredToken: { status: 410, timestamp: 1_700_000_000_000 },
    Unregistered: { status: 410, timestamp: 1_700_000_000_000 },
    PayloadTooLarge: { status: 413 },
    TooManyProviderTokenUpdates: { status: 429, times: 1 },
    TooManyRequests: { status: 429, times: 1 },
    InternalServerError: { status: 500, times: 1 },
    ServiceUnavailable: { status: 503, times: 1 },
    Shutdown: { status: 503, times: 1 },
};
const names = Object.keys(reasons);
const keyId = "FAKEKEY123";
const teamId = "FAKETEAM12";
const topic = "com.example.fake";
/** Of another app of the team. */
const otherTopic = "com.example.fake-driver";
const make = Effect.fnUntraced(function* (options = {}) {
    const { privateKey, publicKey } = yield* Effect.promise(() => generateKeyPair("ES256", { extractable: true }));
    const pem = yield* Effect.promise(() => exportPKCS8(privateKey));
    const live = new Set();
    const trusted = new WeakSet();
    const streams = new WeakMap();
    // The highest stream of a session; once it is going away, streams above this are not looked at.
    const highest = new WeakMap();
    const leaving = new WeakSet();
    const providerTokens = new Set();
    // Verifying costs as much as signing; what was verified once is known.
    const verified = new Set();
    const expired = new Set();
    const seen = new Map();
    const sent = [];
    const requestedTokens = [];
    let opened = 0;
    let early = 0;
    const tokenFault = async (authorization) => {
        if (authorization === undefined)
            return "MissingProviderToken";
        const token = authorization.replace(/^bearer /, "");
        providerTokens.add(token);
        if (expired.has(token))
            return "ExpiredProviderToken";
        if (verified.has(token))
            return undefined;
        const sound = await jwtVerify(token, publicKey, { issuer: teamId, algorithms: ["ES256"] }).then(({ payload, protectedHeader }) => protectedHeader.kid === keyId && typeof payload.iat === "number" && Date.now() / 1000 - payload.iat < 3_600, () => false);
        if (!sound)
            return "InvalidProviderToken";
        verified.add(token);
        return undefined;
    };
    const reasonFor = (device) => {
        const found = /^bad0([0-9a-f]{2})/.exec(device);
        const name = found === null ? undefined : names[Number.parseInt(found[1] ?? "", 16)];
        if (name === undefined || !isReason(name))
            return undefined;
        const count = (seen.get(device) ?? 0) + 1;
        seen.set(device, count);
        const reason = reasons[name];
        const { times = Infinity } = reason;
        return count <= times ? name : undefined;
    };
    const onStream = async (stream, headers) => {
        const { session } = stream;
        if (session === undefined)
            return;
        stream.on("error", () => { });
        if (leaving.has(session))
            return stream.close(Http2.constants.NGHTTP2_REFUSED_STREAM);
        highest.set(session, Math.max(highest.get(session) ?? 0, stream.id ?? 0));
        const open = (streams.get(session) ?? 0) + 1;
        streams.set(session, open);
        stream.on("close", () => streams.set(session, (streams.get(session) ?? 1) - 1));
        if (!trusted.has(session)) {
            early = Math.max(early, open);
            if (open > 1)
                return stream.close(Http2.constants.NGHTTP2_REFUSED_STREAM);
        }
        const chunks = [];
        for await (const chunk of stream)
            chunks.push(chunk);
        const device = String(headers[":path"]).replace("/3/device/", "");
        requestedTokens.push(device);
        const id = String(headers["apns-id"] ?? crypto.randomUUID());
        const answer = (status, body) => {
            if (stream.destroyed)
                return;
            stream.respond({ ":status": status, "apns-id": id });
            stream.end(body === undefined ? "" : JSON.stringify(body));
        };
        const refuse = (reason) => {
            const { status, timestamp } = reasons[reason];
            answer(status, { reason, ...(timestamp === undefined ? {} : { timestamp }) });
        };
        const fault = await tokenFault(headers.authorization);
        if (fault !== undefined)
            return refuse(fault);
        trusted.add(session);
        if (options.maxStreams !== undefined)
            session.settings({ maxConcurrentStreams: options.maxStreams });
        if (fake.unavailable)
            return refuse("ServiceUnavailable");
        const body = Buffer.concat(chunks);
        const collapseId = String(headers["apns-collapse-id"] ?? "");
        const suffix = headers["apns-push-type"] === "liveactivity" ? ".push-type.liveactivity" : "";
        const ofApp = `${otherTopic}${suffix}`;
        if (headers["apns-topic"] !== `${topic}${suffix}` && headers["apns-topic"] !== ofApp)
            return refuse("BadTopic");
        if (Buffer.byteLength(collapseId) > 64)
            return refuse("BadCollapseId");
        if (body.length > 4_096)
            return refuse("PayloadTooLarge");
        if (fake.otherEnvironment)
            return refuse("BadDeviceToken");
        const reason = reasonFor(device);
        if (reason !== undefined)
            return refuse(reason);
        sent.push({ token: device, id, collapseId, headers, payload: JSON.parse(body.toString()) });
        if (device.startsWith("cc") && (seen.get(device) ?? 0) === 0) {
            // Taken, and the connection is lost before the answer.
            seen.set(device, 1);
            return session.destroy();
        }
        if (device.startsWith("dd") && (seen.get(device) ?? 0) === 0) {
            // Taken, and the first time no answer comes.
            seen.set(device, 1);
            return;
        }
        answer(200);
    };
    const server = Http2.createSecureServer({ key: tlsKey, cert: certificate });
    server.on("session", (session) => {
        opened++;
        live.add(session);
        session.on("error", () => { });
        session.on("close", () => live.delete(session));
    });
    server.on("stream", (stream, headers) => void onStream(stream, headers).catch(() => stream.destroy()));
    yield* Effect.addFinalizer(() => Effect.sync(() => {
        for (const session of live)
            session.destroy();
    }));
    const port = yield* listen(server);
    // A server's close waits for its sessions; they must be gone before.
    yield* Effect.addFinalizer(() => Effect.sync(() => {
        for (const session of live)
            session.destroy();
    }));
    const fake = {
        baseUrl: `https://localhost:${port}`,
        key: Redacted.make(pem),
        keyId,
        teamId,
        topic,
        otherTopic,
        ca: certificate,
        sent,
        requestedTokens,
        providerTokens,
        sessionCount: () => opened,
        maxStreamsBeforeTrust: () => early,
        expireTokens: () => {
            for (const token of providerTokens)
                expired.add(token);
        },
        goAway: () => {
            for (const session of live) {
                leaving.add(session);
                session.goaway(Http2.constants.NGHTTP2_NO_ERROR, highest.get(session) ?? 0);
            }
        },
        tokenFor: (reason) => `bad0${names.indexOf(reason).toString(16).padStart(2, "0")}`.padEnd(64, "a"),
        unavailable: false,
        otherEnvironment: false,
    };
    return fake;
});
const isReason = (name) => Object.hasOwn(reasons, name);
