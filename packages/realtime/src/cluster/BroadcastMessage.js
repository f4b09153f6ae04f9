import { RawJson } from "../protocol/RawJson.ts";
const newline = 0x0a;
const echoed = 1;
const droppable = 2;
const binary = 4;
export const encode = (message) => {
    const { node, id, event, payload, seq, subtopic } = message;
    const isBinary = payload instanceof Uint8Array;
    const flags = (message.isEchoed ? echoed : 0) | (message.droppable ? droppable : 0) | (isBinary ? binary : 0);
    const head = `${JSON.stringify([node, id, flags, event, seq ?? null, subtopic ?? null])}\n`;
    if (isBinary)
        return Buffer.concat([Buffer.from(head), payload]);
    return Buffer.from(head + (payload instanceof RawJson ? payload.text : JSON.stringify(payload)));
};
/** `undefined` if the format is unknown. */
export const decode = (body) => {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    const end = bytes.indexOf(newline);
    const head = end === -1 ? undefined : parse(bytes.toString("utf8", 0, end));
    if (!Array.isArray(head))
        return undefined;
    const [node, id, flags, event, seq, subtopic] = head;
    if (typeof node !== "string" || typeof id !== "number" || typeof flags !== "number" || typeof event !== "string") {
        return undefined;
    }
    return {
        node,
        id,
        event,
        isEchoed: (flags & echoed) !== 0,
        droppable: (flags & droppable) !== 0,
        seq: typeof seq === "number" ? seq : undefined,
        subtopic: typeof subtopic === "string" ? subtopic : undefined,
        payload: (flags & binary) === 0 ? new RawJson(bytes.toString("utf8", end + 1)) : new Uint8Array(bytes.subarray(end + 1)),
    };
};
const parse = (text) => {
    try {
        return JSON.parse(text);
    }
    catch {
        return undefined;
    }
};
