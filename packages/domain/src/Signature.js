/**
 * `Armoricore-Signature: keyid=ID,t=UNIXSECONDS,v1=HEX` where HEX is HMAC-SHA256(secret, `t + "." + raw body`).
 * The same header on NATS, on `POST /v1/events` and on the webhooks that Armoricore sends.
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { Effect, Option, Redacted } from "effect";
import { constantTimeEqual } from "./ConstantTimeEqual.ts";
import { InvalidEvent } from "./Errors.ts";
export const signatureHeader = "Armoricore-Signature";
export const toleranceSeconds = 300;
const mac = (secret, timestamp, body) => hmac(sha256, utf8ToBytes(Redacted.value(secret)), concatBytes(utf8ToBytes(`${timestamp}.`), body));
/** The header's value; `timestamp` in Unix seconds. */
export const sign = (keyId, secret, timestamp, body) => `keyid=${keyId},t=${timestamp},v1=${bytesToHex(mac(secret, timestamp, body))}`;
const parse = (header) => {
    const fields = new Map(header.split(",").map((field) => {
        const at = field.indexOf("=");
        return [field.slice(0, at).trim(), field.slice(at + 1).trim()];
    }));
    const keyId = fields.get("keyid");
    const timestamp = fields.get("t");
    const digest = fields.get("v1");
    if (keyId === undefined || timestamp === undefined || digest === undefined)
        return Option.none();
    if (!/^[0-9]{1,12}$/.test(timestamp) || !/^[0-9a-f]{64}$/i.test(digest))
        return Option.none();
    return Option.some({ keyId, timestamp: Number(timestamp), mac: hexToBytes(digest) });
};
const badSignature = (message) => Effect.fail(new InvalidEvent({ reason: "bad_signature", path: signatureHeader, message }));
/** Returns the key id. `arrivedAt` (epoch milliseconds) is when the bus or the server received the event, so a backlog stays valid. */
export const verify = (keys, header, body, arrivedAt) => Effect.suspend(() => {
    if (header === undefined)
        return badSignature("the event is not signed; sign it with a key of EVENT_SIGNING_KEYS");
    const parts = parse(header);
    if (Option.isNone(parts))
        return badSignature("the signature does not have the form keyid=ID,t=UNIXSECONDS,v1=HEX");
    const { keyId, timestamp } = parts.value;
    const secret = keys.get(keyId);
    if (secret === undefined)
        return badSignature(`no signing key has the id ${keyId}`);
    if (Math.abs(arrivedAt / 1000 - timestamp) > toleranceSeconds) {
        return badSignature(`the signature is more than ${toleranceSeconds} s older or newer than the arrival of the event; sign when you send it`);
    }
    return constantTimeEqual(parts.value.mac, mac(secret, timestamp, body))
        ? Effect.succeed(keyId)
        : badSignature("the signature does not match the body");
});
