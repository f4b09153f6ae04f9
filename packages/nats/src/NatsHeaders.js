/**
 * Encodes message headers in one pass. The client's own header class validates every character of every name on each
 * publish (measured hot path); it is used only for headers that are not plain ASCII.
 */
import { headers as newHeaders, MsgHdrsImpl } from "nats";
export const make = (id, extra) => {
    const text = encodePlain(id, extra);
    return text === undefined ? encodeValidated(id, extra) : new EncodedHeaders(Buffer.from(text, "latin1"));
};
const idHeader = "Nats-Msg-Id";
/** `undefined`: the headers need the client's validation. */
const encodePlain = (id, extra) => {
    let text = "NATS/1.0\r\n";
    for (const name in extra) {
        const value = extra[name] ?? "";
        // The message id has its own line; a header with the same name is skipped.
        if (!isName(name) || name === idHeader || !printable.test(value))
            return undefined;
        text += `${name}: ${value.trim()}\r\n`;
    }
    if (id === undefined)
        return `${text}\r\n`;
    return printable.test(id) ? `${text}${idHeader}: ${id.trim()}\r\n\r\n` : undefined;
};
const printable = /^[ -~]*$/;
const names = new Set();
const isName = (name) => {
    if (names.has(name))
        return true;
    if (!/^[A-Za-z0-9-]+$/.test(name))
        return false;
    // The cache is bounded: header names may come from forwarded messages.
    if (names.size < 1_000)
        names.add(name);
    return true;
};
const encodeValidated = (id, extra) => {
    const headers = newHeaders();
    for (const name in extra)
        headers.set(name, extra[name] ?? "");
    if (id !== undefined)
        headers.set(idHeader, id);
    return headers;
};
/** The client calls only `encode` on the headers that it sends. */
class EncodedHeaders extends MsgHdrsImpl {
    bytes;
    constructor(bytes) {
        super();
        this.bytes = bytes;
    }
    encode() {
        return this.bytes;
    }
}
