/**
 * Samples traces: all of them up to a number per second, and above it a fraction by trace id. The limit bounds the cost of
 * telemetry in a busy process. Sampling by id records a trace completely or not at all in one process, and equally busy
 * processes choose the same traces.
 */
import { Option, Tracer } from "effect";
/** `limit` is traces per second in this process. `now` is in milliseconds. */
export const make = (limit, now = () => performance.now()) => {
    let windowStart = now();
    let seen = 0;
    let fraction = 1;
    return (parent) => {
        if (parent?.sampled === false)
            return false;
        const at = now();
        if (at - windowStart >= 1000) {
            fraction = Math.min(1, (limit * (at - windowStart)) / 1000 / Math.max(1, seen));
            windowStart = at;
            seen = 0;
        }
        seen++;
        if (fraction < 1)
            return traceIdFraction(parent) < fraction;
        // The first second of a burst, before a fraction is known.
        return seen <= limit;
    };
};
/** From 0 to 1, constant per trace. Every tracer generates the last digits of a trace id at random. */
const traceIdFraction = (parent) => parent === undefined ? Math.random() : Number.parseInt(parent.traceId.slice(-12), 16) / 2 ** 48;
/**
 * A tracer that applies the sampler where a trace begins in this process. Producer and client spans are children of spans
 * that were sampled already.
 */
export const withSampling = (tracer, sampler) => Tracer.make({
    ...tracer,
    span: (options) => {
        const parent = Option.getOrUndefined(options.parent);
        if (parent?.sampled === false)
            return tracer.span(options);
        const isLocalRoot = parent?._tag !== "Span" && (options.kind === "server" || options.kind === "internal");
        const span = tracer.span(isLocalRoot ? { ...options, sampled: options.sampled && sampler(parent) } : options);
        return options.kind === "client" && span.sampled ? withoutUrlAttributes(span) : span;
    },
});
/** URLs of external services may contain device tokens and keys, so only the server name is recorded. */
const withoutUrlAttributes = (span) => {
    const attribute = span.attribute.bind(span);
    span.attribute = (key, value) => {
        if (key !== "url.path" && key !== "url.full" && key !== "url.query")
            attribute(key, value);
    };
    return span;
};
