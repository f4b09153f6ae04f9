/** The size of a message on the bus and its limit, the same on every adapter. */
import { PermanentError } from "./Errors.ts";
/** NATS accepts 1 MiB for headers and body together. The other adapters use the same limit, so that tests find large messages. */
export const maxMessageBytes = 1_048_576;
/** Bytes of the body and of the headers as NATS encodes them (`name: value\r\n`). */
export const messageBytes = (body, headers = {}) => {
    let total = body.byteLength;
    for (const name in headers)
        total += name.length + (headers[name]?.length ?? 0) + 4;
    return total;
};
export const tooLarge = (subject, bytes, limit) => new PermanentError({
    code: "too_large",
    message: `The message for ${subject} has ${bytes} bytes, the limit is ${limit}. Store the content in object storage and publish its URL`,
});
/** JetStream stores at most 64 KiB of headers with a message; the rest is for the headers that an adapter adds. */
export const maxHeaderBytes = 60 * 1024;
/** A control character would end the header, or the protocol line of the message. */
const controlCharacter = /(?!\t)\p{Cc}/u;
const ascii = /^\p{ASCII}*$/u;
const encoder = new TextEncoder();
/** A token of RFC 9110. */
const headerName = /^[!#-'*+.0-9A-Z^-z|~-]+$/;
/** Why these headers cannot be sent on every bus; `undefined` if they can. `id` is the deduplication key. */
export const headerFault = (id, headers = {}) => {
    let bytes = 0;
    for (const name in headers) {
        const value = headers[name] ?? "";
        bytes += name.length + (ascii.test(value) ? value.length : encoder.encode(value).byteLength) + 4;
        if (!headerName.test(name))
            return invalidHeader(`the header name ${JSON.stringify(name.slice(0, 80))} is not a token`);
        if (controlCharacter.test(value))
            return invalidHeader(`the header ${name} contains a control character`);
    }
    if (controlCharacter.test(id))
        return invalidHeader("the id of the message contains a control character");
    return bytes > maxHeaderBytes
        ? invalidHeader(`the headers have ${bytes} bytes, the limit is ${maxHeaderBytes}`)
        : undefined;
};
const invalidHeader = (message) => new PermanentError({ code: "invalid_header", message });
