/**
 * The Phoenix V2 serializer. A text frame is `[join_ref, ref, topic, event, payload]`. A binary frame has one byte for
 * the kind, one byte for the length of each name, the names, then the data:
 *
 * | frame | layout |
 * |---|---|
 * | client push | `00 joinRef ref topic event` + data |
 * | server push | `00 joinRef topic event` + data |
 * | reply | `01 joinRef ref topic status` + data |
 * | broadcast | `02 topic event` + data |
 *
 * Pure; decoding never throws.
 */
import { isRef, maxNameBytes, } from "./Message.ts";
import { RawJson } from "./RawJson.ts";
const frameKind = { push: 0, reply: 1, broadcast: 2 };
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** The parsed value, or `undefined` for invalid JSON. */
export const parseJson = (text) => {
    try {
        return JSON.parse(text);
    }
    catch {
        return undefined;
    }
};
export const decodeText = (text) => {
    const json = parseJson(text);
    if (!Array.isArray(json) || json.length !== 5)
        return undefined;
    const [first, second, topic, event, payload] = json;
    const [joinRef, ref] = [exactRef(text, first), exactRef(text, second)];
    if (!isRef(joinRef) || !isRef(ref) || typeof topic !== "string" || typeof event !== "string")
        return undefined;
    return { joinRef, ref, topic, event, payload };
};
/** A ref of a message. `JSON.parse` rounds large numbers, so their digits are taken from the text. */
export const exactRef = (text, value) => {
    if (typeof value !== "number" || Number.isSafeInteger(value))
        return value;
    const written = text.match(/-?\d{16,}/g)?.find((digits) => Number(digits) === value);
    return written === undefined ? value : BigInt(written);
};
/** The JSON text of a ref. */
export const refText = (ref) => (typeof ref === "bigint" ? String(ref) : JSON.stringify(ref));
/** Four names of maximum length with every character escaped as `\uXXXX`. */
const maxHeaderBytes = 4 * 6 * maxNameBytes;
const headerPattern = /^\s*\[(?:\s*(?:null|-?\d[\d.eE+-]*|"(?:[^"\\]|\\.)*")\s*,){4}/;
export const decodeHeader = (bytes) => {
    const header = headerPattern.exec(bytes.subarray(0, maxHeaderBytes).toString())?.[0];
    return header === undefined ? undefined : decodeText(`${header}null]`);
};
/** Decodes a binary push of a client. */
export const decodeBinary = (bytes) => {
    if (bytes[0] !== frameKind.push || bytes.length < 5)
        return undefined;
    const names = [];
    let at = 5;
    for (let index = 1; index <= 4; index++) {
        const end = at + (bytes[index] ?? 0);
        if (end > bytes.length)
            return undefined;
        const name = text(bytes.subarray(at, end));
        if (name === undefined)
            return undefined;
        names.push(name);
        at = end;
    }
    const [joinRef = "", ref = "", topic = "", event = ""] = names;
    // The binary format encodes an absent ref as an empty one.
    return { joinRef: joinRef || null, ref: ref || null, topic, event, payload: new Uint8Array(bytes.subarray(at)) };
};
/** A name longer than its length byte can express is truncated, so that the frame stays valid. */
const name = (value) => Buffer.from(value === null ? "" : String(value)).subarray(0, maxNameBytes);
const binary = (first, names, data) => Buffer.concat([Uint8Array.of(first, ...names.map((part) => part.length)), ...names, data]);
const text = (bytes) => {
    try {
        return utf8.decode(bytes);
    }
    catch {
        return undefined;
    }
};
/**
 * Converts an encoded binary frame to text, with the data as `{"data": base64}`, for transports without binary frames.
 */
export const binaryToText = (frame) => {
    const [first = 0] = frame;
    const count = first === frameKind.reply ? 4 : first === frameKind.push ? 3 : 2;
    let at = 1 + count;
    const names = Array.from(frame.subarray(1, at), (length) => {
        const from = at;
        at += length;
        return Buffer.from(frame.subarray(from, at)).toString();
    });
    const data = { data: Buffer.from(frame.subarray(at)).toString("base64") };
    const [one = "", two = "", three = "", four = ""] = names;
    if (first === frameKind.reply)
        return json(one || null, two || null, three, "phx_reply", { status: four, response: data });
    return first === frameKind.push ? json(one || null, null, two, three, data) : json(null, null, one, two, data);
};
const json = (joinRef, ref, topic, event, payload) => typeof joinRef === "bigint" || typeof ref === "bigint"
    ? `[${refText(joinRef)},${refText(ref)},${JSON.stringify([topic, event, payload]).slice(1)}`
    : JSON.stringify([joinRef, ref, topic, event, payload]);
export const serializer = {
    version: "2.0.0",
    decodeText,
    decodeBinary,
    decodeHeader,
    reply: ({ joinRef, ref, topic }, status, response) => response instanceof Uint8Array
        ? binary(frameKind.reply, [name(joinRef), name(ref), name(topic), name(status)], response)
        : json(joinRef, ref, topic, "phx_reply", { status, response }),
    push: (joinRef, topic, event, payload) => payload instanceof Uint8Array
        ? binary(frameKind.push, [name(joinRef), name(topic), name(event)], payload)
        : json(joinRef, null, topic, event, payload),
    end: (joinRef, topic, event, payload) => json(joinRef, joinRef, topic, event, payload),
    broadcast: (topic, event, payload) => payload instanceof Uint8Array
        ? binary(frameKind.broadcast, [name(topic), name(event)], payload)
        : payload instanceof RawJson
            ? `[null,null,${JSON.stringify(topic)},${JSON.stringify(event)},${payload.text}]`
            : json(null, null, topic, event, payload),
};
