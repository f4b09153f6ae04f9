/**
 * Works around the header decoding of `nats` 2.29. The client validates header names and values inside its read loop
 * and throws: the connection stays open but stops reading for ever. With this patch an invalid header is dropped and
 * its message is delivered. `@nats-io/nats-core` 3 decodes without that check; the patch goes away with the upgrade.
 */
import { Result } from "effect";
import { MsgHdrsImpl } from "nats";
const originalDecode = MsgHdrsImpl.decode;
const decoder = new TextDecoder();
const encoder = new TextEncoder();
/** Headers that the client could not send either are dropped. */
const decode = (bytes) => Result.getOrElse(Result.try(() => originalDecode(bytes)), () => originalDecode(encoder.encode(dropInvalidLines(decoder.decode(bytes)))));
const dropInvalidLines = (text) => {
    const [version, ...lines] = text.split("\r\n");
    return [version, ...lines.filter((line) => /^[!-9;-~]+:[^\r\n]*$/.test(line))].join("\r\n");
};
/** Call before the first connection. Repeated calls have no further effect. */
export const install = () => {
    MsgHdrsImpl.decode = decode;
};
const validNames = new Set();
/** Whether the header is valid and may be passed on. */
export const isValidHeader = (name, value) => {
    if (value.includes("\n") || value.includes("\r"))
        return false;
    if (validNames.has(name))
        return true;
    if (!/^[!-9;-~]+$/.test(name))
        return false;
    // The cache is bounded, because header names also come from outside messages.
    if (validNames.size < 1_000)
        validNames.add(name);
    return true;
};
