/**
 * Encodes an id of any characters as one segment of a NATS subject, a state key, an object key, a file name, a URL path, a
 * topic or a header. The only characters of the result are `A-Z a-z 0-9 _ - =`, and it has at most 128 of them.
 *
 * Different ids have different encodings: an id of `[A-Za-z0-9_-]{1,128}` is its own encoding and contains no `=`. In other
 * ids each other byte of UTF-8 becomes `=xx`. A result that would be too long is `==` and the SHA-256 of the id.
 */
import { sha256 } from "./DeterministicId.ts";
export const maxEncodedLength = 128;
export const encodeId = (id) => {
    if (safeId.test(id))
        return id;
    const escaped = escape(id);
    return escaped.length <= maxEncodedLength ? escaped : `==${sha256(escaped)}`;
};
/**
 * Encodes a topic in the same way for a subject or a room of the history, with `:` as one more character. The name before
 * the first `:` stays readable. At most 200 characters.
 */
export const encodeTopic = (topic) => {
    if (safeTopic.test(topic))
        return topic;
    const colon = topic.indexOf(":");
    const name = topic.slice(0, Math.max(colon, 0));
    return topicName.test(name) ? `${name}:${encodeId(topic.slice(colon + 1))}` : encodeId(topic);
};
/** The topic that {@link encodeTopic} encoded; undefined if only a hash of it is left. */
export const decodeTopic = (encoded) => {
    if (!encoded.includes("="))
        return encoded;
    if (/(^|:)==/.test(encoded) || /=u/.test(encoded))
        return undefined;
    const text = encoded.replace(/=([0-9a-f]{2})/g, "%$1");
    return /%(?![0-9a-f]{2})/.test(text) ? undefined : decodeURIComponent(text);
};
const safeId = /^[A-Za-z0-9_-]{1,128}$/;
const safeTopic = /^[A-Za-z0-9_:-]{1,200}$/;
const topicName = /^[A-Za-z0-9_-]{1,64}$/;
const escape = (text) => (text === "" ? "=" : text.replace(/[^A-Za-z0-9_-]/gu, escapeCharacter));
const utf8 = new TextEncoder();
const escapeCharacter = (character) => character.isWellFormed()
    ? Array.from(utf8.encode(character), (byte) => `=${byte.toString(16).padStart(2, "0")}`).join("")
    : // UTF-8 has no bytes for half a surrogate pair.
        `=u${character.charCodeAt(0).toString(16)}`;
