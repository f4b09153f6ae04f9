/**
 * A browser's push service and the browser behind it, for tests: VAPID is verified, bodies are decrypted by RFC 8291
 * with node's own primitives. `subscribe` makes a subscription; its kind decides how pushes to it are answered.
 */
import { Context, Effect, Layer } from "effect";
import { importJWK, jwtVerify } from "jose";
import { createDecipheriv, createECDH, hkdfSync, randomBytes } from "node:crypto";
import { createServer } from "node:https";
import * as FakeHttpServer from "./FakeHttpServer.ts";
import { listen } from "../LocalPort.ts";
import { certificate, privateKey } from "./TestCertificate.ts";
export class FakePushService extends Context.Service()("@armoricore/testing/FakePushService") {
    static layer = Layer.effect(FakePushService, Effect.suspend(() => make));
}
const responses = {
    gone: { status: 410 },
    missing: { status: 404 },
    throttled: { status: 429, headers: { "retry-after": "1" }, times: 1 },
    busy: { status: 503, times: 1 },
    large: { status: 413 },
    bad: { status: 400 },
};
const make = Effect.gen(function* () {
    const vapid = createECDH("prime256v1");
    vapid.generateKeys();
    const subscribers = new Map();
    const received = [];
    const requestedEndpoints = [];
    const seen = new Map();
    const answer = async (request) => {
        const subscriber = subscribers.get(request.path);
        requestedEndpoints.push(request.path);
        const count = (seen.get(request.path) ?? 0) + 1;
        seen.set(request.path, count);
        if (fake.override !== undefined)
            return fake.override;
        if (subscriber === undefined)
            return { status: 404 };
        if (!(await isValidVapid(request, `https://localhost:${port}`)))
            return { status: 403 };
        const { kind } = subscriber;
        const refusal = kind === "good" || kind === "cut" ? undefined : responses[kind];
        if (refusal !== undefined && count <= (refusal.times ?? Infinity))
            return refusal;
        const text = decrypt(request.body, subscriber);
        const header = (name) => [request.headers[name]].flat()[0];
        received.push({
            endpoint: request.path,
            payload: JSON.parse(text),
            ttl: header("ttl"),
            urgency: header("urgency"),
            topic: header("topic"),
        });
        if (header("ttl") === undefined)
            return { status: 400 };
        if (kind === "cut" && count === 1)
            return { status: 0, disconnect: true };
        return { status: 201, headers: { location: `https://localhost:${port}/m/${received.length}` } };
    };
    const port = yield* listen(FakeHttpServer.bufferedServer((listener) => createServer({ key: privateKey, cert: certificate }, listener), answer));
    const fake = {
        override: undefined,
        subscribe: (kind = "good") => {
            const ecdh = createECDH("prime256v1");
            const path = `/push/${randomBytes(8).toString("hex")}`;
            const auth = randomBytes(16);
            const p256dh = ecdh.generateKeys("base64url");
            subscribers.set(path, { kind, ecdh, auth });
            return { endpoint: `https://localhost:${port}${path}`, keys: { p256dh, auth: auth.toString("base64url") } };
        },
        received,
        requestedEndpoints,
        ca: certificate,
        vapid: { publicKey: vapid.getPublicKey("base64url"), privateKey: vapid.getPrivateKey("base64url") },
    };
    return fake;
});
const isValidVapid = async ({ headers }, audience) => {
    const [, token = "", key = ""] = /^vapid t=([^,\s]+),\s*k=(\S+)$/.exec(headers.authorization ?? "") ?? [];
    const point = Buffer.from(key, "base64url");
    const jwk = {
        kty: "EC",
        crv: "P-256",
        x: point.subarray(1, 33).toString("base64url"),
        y: point.subarray(33).toString("base64url"),
    };
    return importJWK(jwk, "ES256")
        .then((publicKey) => jwtVerify(token, publicKey, { audience, algorithms: ["ES256"] }))
        .then(({ payload }) => typeof payload.sub === "string" && (payload.exp ?? 0) - Date.now() / 1000 <= 86_400, () => false);
};
/** RFC 8291 over RFC 8188: one record of aes128gcm. */
const decrypt = (body, { auth, ecdh }) => {
    const salt = body.subarray(0, 16);
    const idLength = body.readUInt8(20);
    const sender = body.subarray(21, 21 + idLength);
    const sealed = body.subarray(21 + idLength);
    const shared = ecdh.computeSecret(sender);
    const info = Buffer.concat([Buffer.from("WebPush: info\0"), ecdh.getPublicKey(), sender]);
    const secret = Buffer.from(hkdfSync("sha256", shared, auth, info, 32));
    const key = Buffer.from(hkdfSync("sha256", secret, salt, Buffer.from("Content-Encoding: aes128gcm\0"), 16));
    const nonce = Buffer.from(hkdfSync("sha256", secret, salt, Buffer.from("Content-Encoding: nonce\0"), 12));
    const decipher = createDecipheriv("aes-128-gcm", key, nonce);
    decipher.setAuthTag(sealed.subarray(-16));
    const plain = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
    // The delimiter 2 ends the last record, zeros pad it.
    return plain.subarray(0, plain.lastIndexOf(2)).toString();
};
