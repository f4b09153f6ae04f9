/**
 * Deterministic ids. Repeated work produces the same ids, so every reader can recognise a duplicate. A UUID of version 8
 * (RFC 9562) over SHA-256.
 */
import { sha256 as digestOf } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
/** Node's native digest is several times faster; a browser uses the JavaScript one. */
const native = globalThis.process?.getBuiltinModule?.("node:crypto")?.hash;
/** SHA-256 of a text, lower-case hex. */
export const sha256 = (text) => native === undefined ? bytesToHex(digestOf(utf8ToBytes(text))) : native("sha256", text);
/** The UUID of these parts, in this order. */
export const deriveId = (...parts) => {
    // The length before each part keeps ("ab", "c") and ("a", "bc") apart.
    const digest = sha256(parts.map((part) => `${part.length}:${part}`).join("|"));
    const variant = ((Number.parseInt(digest.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
    return [
        digest.slice(0, 8),
        digest.slice(8, 12),
        `8${digest.slice(13, 16)}`,
        `${variant}${digest.slice(18, 20)}`,
        digest.slice(20, 32),
    ].join("-");
};
/** The `event_id` of the result of one type that follows from an event; `discriminator` distinguishes several of one type. */
export const resultEventId = (causeEventId, resultType, discriminator = "") => deriveId("result", causeEventId, resultType, discriminator);
