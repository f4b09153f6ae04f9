/**
 * The W3C header `traceparent`. A publisher's tracer must not cost it an event: a value of another form is ignored, and the
 * event starts a trace of its own.
 */
/** Later versions may append fields after a further `-`. */
const pattern = /^(?!ff)[0-9a-f]{2}-(?!0{32})(?<traceId>[0-9a-f]{32})-(?!0{16})(?<spanId>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?:-[\x21-\x7e]*)?$/;
/** The header has 55 characters; a later version may have more. */
export const maxLength = 256;
/** `undefined` for a value of another form. */
export const parse = (text) => {
    if (text === undefined || text.length > maxLength)
        return undefined;
    const { flags = "0", spanId, traceId } = pattern.exec(text)?.groups ?? {};
    if (traceId === undefined || spanId === undefined)
        return undefined;
    return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
};
export const isTraceparent = (text) => parse(text) !== undefined;
