import { isValidHeader } from "./HeaderDecodingPatch.ts";
const idHeader = "Nats-Msg-Id";
/** The publisher's headers. Those of the server (`Nats-…`) are left out; the message id is returned separately. */
const headersOf = (headers) => {
    const plain = {};
    if (headers === undefined)
        return plain;
    for (const name of headers.keys())
        if (!name.startsWith("Nats-"))
            plain[name] = headers.get(name);
    return plain;
};
export const received = (message) => {
    const { headers, id } = parseHeaders(message, message.subject);
    return { subject: message.subject, headers, body: message.data, ...(id === "" ? {} : { id }) };
};
/** A message delivered to a consumer. `subject` is given where the consumer's filter allows only one. */
export const delivered = (message, subject, { arrivedAt, deliveryCount }) => {
    const knownSubject = subject ?? message.subject;
    const { headers, id } = parseHeaders(message, knownSubject);
    return { subject: knownSubject, id, headers, body: message.data, arrivedAt, deliveryCount };
};
/**
 * Status of a pull request: a message without body and reply subject carries a status code (404, 408, 409…). A message
 * that expects an acknowledgement is a real message, even if its publisher set a code.
 */
export const statusOf = (message) => message.data.byteLength > 0 || message.reply ? 0 : (message.headers?.code ?? 0);
const noHeaders = {};
const version = "NATS/1.0\r\n";
/**
 * Reads the headers from the raw bytes (measured hot path): the client builds a map of lists and validates each
 * character.
 */
const parseHeaders = (message, subject) => {
    const { data } = message;
    const length = sizeOf(message) - subject.length - (message.reply?.length ?? 0) - data.byteLength;
    if (length === 0)
        return { id: "", headers: noHeaders };
    const text = headerText(data, length);
    if (text === undefined || !text.startsWith(version)) {
        return { id: message.headers?.get(idHeader) ?? "", headers: headersOf(message.headers) };
    }
    let id = "";
    let headers;
    for (let from = version.length;;) {
        const end = text.indexOf("\r\n", from);
        if (end <= from)
            return { id, headers: headers ?? noHeaders };
        const colon = text.indexOf(":", from);
        if (colon > from && colon < end) {
            const name = text.slice(from, colon);
            const value = text.slice(colon + 1, end).trim();
            const known = isValidHeader(name, value);
            // Of several headers with one name the first counts, as in the client.
            if (known && name === idHeader)
                id ||= value;
            else if (known && !name.startsWith("Nats-"))
                (headers ??= {})[name] ??= value;
        }
        from = end + 2;
    }
};
/** Total bytes of subject, reply, headers and body. The client's class has `size()`, its type does not. */
const sizeOf = (message) => {
    if (!("size" in message) || typeof message.size !== "function")
        return Number.NaN;
    const size = message.size();
    return typeof size === "number" ? size : Number.NaN;
};
/** The headers precede the body in the same buffer. */
const headerText = (body, length) => {
    const from = body.byteOffset - length;
    if (!(length > 0 && from >= 0))
        return undefined;
    return Buffer.from(body.buffer, from, length).toString("utf8");
};
export const stored = (message, arrivedAt) => ({
    subject: message.subject,
    id: message.headers?.get(idHeader) ?? "",
    headers: headersOf(message.headers),
    body: message.data,
    arrivedAt,
});
/**
 * Parses the ack subject `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time in ns>.<pending>`.
 * Newer servers insert domain and account hash after `ACK`.
 */
export const parseDeliveryInfo = (reply) => {
    if (!reply.startsWith("$JS.ACK."))
        return undefined;
    let dots = 0;
    for (let at = reply.indexOf("."); at >= 0; at = reply.indexOf(".", at + 1))
        dots++;
    if (dots < 8)
        return undefined;
    let at = 0;
    for (let skipped = dots >= 10 ? 6 : 4; skipped > 0; skipped--)
        at = reply.indexOf(".", at) + 1;
    const sequence = reply.indexOf(".", at) + 1;
    const time = reply.indexOf(".", reply.indexOf(".", sequence) + 1) + 1;
    return {
        deliveryCount: Number(reply.slice(at, sequence - 1)),
        sequence: Number(reply.slice(sequence, reply.indexOf(".", sequence))),
        // Nanoseconds to milliseconds: the last six digits are dropped.
        arrivedAt: Number(reply.slice(time, reply.indexOf(".", time) - 6)),
    };
};
