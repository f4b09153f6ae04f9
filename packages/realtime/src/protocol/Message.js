/** A decoded Phoenix message, independent of the serializer: join ref, ref, topic, event and payload. */
/**
 * The longest topic and the longest ref of a binary frame in UTF-8 bytes: the format has one byte for each length. A text
 * frame may name a longer event; the reply is `unknown_event`.
 */
export const maxNameBytes = 255;
export const isRef = (value) => value === null ||
    typeof value === "number" ||
    typeof value === "bigint" ||
    (typeof value === "string" && fitsNameLimit(value));
/** Checks the length first, because UTF-8 needs at most three bytes per UTF-16 unit and most names are short. */
export const fitsNameLimit = (text) => text.length * 3 <= maxNameBytes || Buffer.byteLength(text) <= maxNameBytes;
/** The longest topic of a text frame in UTF-8 bytes: `user:` and an id of 128 characters. */
const maxTopicBytes = 520;
/** A longer topic gets the reply `unmatched topic`. */
export const fitsTopicLimit = (topic) => topic.length * 3 <= maxTopicBytes || Buffer.byteLength(topic) <= maxTopicBytes;
