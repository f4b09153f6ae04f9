import { RawJson } from "../protocol/RawJson.ts";
import * as Reactors from "./Reactors.ts";
const encoder = new TextEncoder();
const decoder = new TextDecoder();
export const encode = ({ event, payload, droppable, reactors }) => encoder.encode(JSON.stringify({
    event,
    ...(droppable ? { droppable } : {}),
    // Before the payload, so that `decodeRaw` recognises entries without reactions by their beginning.
    ...(reactors === undefined || Object.keys(reactors).length === 0 ? {} : { reactors }),
    payload,
}));
// Every item of a room's history was written by `encode`.
const parse = (text) => JSON.parse(text);
/** The payload of a stored entry, without `seq`. */
export const payloadOf = (body) => ({
    ...parse(decoder.decode(body)).payload,
});
/** As it was encoded. */
export const decodeStored = ({ body }) => {
    const stored = parse(decoder.decode(body));
    return { ...stored, droppable: stored.droppable === true };
};
/** The payload as clients see it. */
const withPosition = ({ payload, reactors }, position, seq) => ({
    ...payload,
    ...(reactors === undefined ? {} : { reactions: Reactors.counts(reactors) }),
    [position]: seq,
});
export const decode = ({ seq, body }, position = "seq") => {
    const stored = parse(decoder.decode(body));
    const { event, reactors } = stored;
    return { event, seq, payload: withPosition(stored, position, seq), ...(reactors === undefined ? {} : { reactors }) };
};
/** The text that `encode` writes before the payload's own fields. */
const storedEntryPrefix = /^\{"event":"([a-z_]+)"(,"droppable":true)?,"payload":\{/;
/** Like `decode`, for a delivery: inserts the position into the payload's JSON text without parsing the payload. */
export const decodeRaw = (item, position = "seq") => {
    const text = decoder.decode(item.body);
    const prefix = storedEntryPrefix.exec(text);
    if (prefix === null) {
        const stored = parse(text);
        const payload = withPosition(stored, position, item.seq);
        return { event: stored.event, seq: item.seq, payload, droppable: stored.droppable === true };
    }
    const [head, event = "", droppable] = prefix;
    const fields = text.slice(head.length, -2);
    const payload = new RawJson(`{${fields}${fields === "" ? "" : ","}"${position}":${item.seq}}`);
    return { event, seq: item.seq, payload, droppable: droppable !== undefined };
};
