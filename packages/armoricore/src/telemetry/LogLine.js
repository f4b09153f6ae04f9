/** A log line as a flat object with the same field names everywhere, for `grep` and `jq`. */
import * as TraceContext from "@armoricore/worker/TraceContext";
import { Cause, Redacted, References } from "effect";
/** Names that annotations cannot overwrite; such an annotation gets a trailing underscore. */
const reservedFields = ["timestamp", "level", "message"];
/** Longer fields are truncated. */
const maxFieldLength = 8_000;
const maxDepth = 4;
export const toLogLine = ({ cause, date, fiber, logLevel, message }) => {
    const span = fiber.cache.span;
    const line = { timestamp: date.toISOString(), level: logLevel.toLowerCase(), message: "" };
    const put = (name, value, depth = 0) => {
        if (depth === 0 && reservedFields.includes(name))
            return put(`${name}_`, value, 1);
        const plain = toPrimitive(value);
        if (plain !== undefined)
            line[name] = typeof plain === "string" ? plain.slice(0, maxFieldLength) : plain;
        else if (depth < maxDepth && typeof value === "object" && value !== null) {
            for (const [key, part] of Object.entries(value))
                put(`${name}.${key}`, part, depth + 1);
        }
    };
    const fields = (of) => {
        for (const [name, value] of Object.entries(of))
            put(name, value);
    };
    fields(fiber.getRef(References.CurrentLogAnnotations));
    fields(TraceContext.attributesOf(span));
    if (span !== undefined) {
        line["trace_id"] = span.traceId;
        line["span_id"] = span.spanId;
    }
    const words = [];
    for (const part of Array.isArray(message) ? message : [message]) {
        const plain = toPrimitive(part);
        if (plain !== undefined)
            words.push(String(plain));
        else if (typeof part === "object" && part !== null)
            fields(part);
    }
    line["message"] = words.join(" ").slice(0, maxFieldLength);
    if (cause.reasons.length > 0)
        put("cause", Cause.pretty(cause));
    return line;
};
/** A primitive value as it is logged; undefined for an object with fields. */
const toPrimitive = (value) => {
    if (value === null || typeof value === "string" || typeof value === "boolean")
        return value;
    if (typeof value === "number")
        return Number.isFinite(value) ? value : String(value);
    if (Redacted.isRedacted(value))
        return "<redacted>";
    if (value instanceof Error)
        return value.message === "" ? value.name : value.message;
    if (value instanceof Date)
        return value.toISOString();
    if (Array.isArray(value))
        return JSON.stringify(value);
    return typeof value === "object" ? undefined : String(value);
};
