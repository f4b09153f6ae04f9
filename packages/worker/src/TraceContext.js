import { notificationIdOf } from "@armoricore/domain/events/notification";
import * as Traceparent from "@armoricore/domain/Traceparent";
import { Context, Effect, Option, Tracer } from "effect";
import * as DeadLetterRecord from "./dead-letters/DeadLetterRecord.ts";
/** `messaging.*` of a span. `destination` is the subject of the message, or its fixed part. */
export const messagingAttributes = ({ consumer, name, system }, destination, messageId) => ({
    "messaging.system": system,
    "messaging.operation.name": name,
    "messaging.operation.type": name === "publish" ? "send" : "process",
    "messaging.destination.name": destination,
    ...(messageId === undefined ? {} : { "messaging.message.id": messageId }),
    ...(consumer === undefined ? {} : { "messaging.consumer.group.name": consumer }),
});
/** Attributes of our own have this prefix in spans, as OpenTelemetry asks; log lines have the bare names. */
export const attributePrefix = "armoricore.";
const prefixed = (attributes) => Object.fromEntries(Object.entries(attributes).map(([name, value]) => [attributePrefix + name, value]));
/** The header wins over the body's field, because a bus client may have started a newer span. */
const parentOf = (message, bodyTraceparent) => fromTraceparent(DeadLetterRecord.headerOf(message, "traceparent")) ?? fromTraceparent(bodyTraceparent);
/** Parses a W3C header; `undefined` for a value of another form. */
export const fromTraceparent = (traceparent) => {
    const fields = Traceparent.parse(traceparent);
    return fields === undefined ? undefined : Tracer.externalSpan(fields);
};
/** The trace id of a W3C header. */
export const traceIdOf = (traceparent) => Traceparent.parse(traceparent)?.traceId;
/**
 * Decides whether the span of a message is recorded; called only where a tracer collects spans. It should decide the same
 * for all messages of a trace. A reference and not a service, because the default is OpenTelemetry's own (what the parent
 * decided, and a root span is recorded), and it is read from the fiber for each message.
 */
export const Sampler = Context.Reference("@armoricore/worker/Sampler", { defaultValue: () => (parent) => parent?.sampled !== false });
/**
 * Runs the work on a message in its own consumer span, named by operation and subject: `process armoricore.media.uploaded`.
 * `attributes` is called only if a span or a log line needs it.
 */
export const withConsumerSpan = (operation, message, bodyTraceparent, attributes = noAttributes) => (work) => Effect.withFiber((fiber) => {
    const parent = parentOf(message, bodyTraceparent);
    if (fiber.getRef(Tracer.Tracer) === Tracer.nativeTracer) {
        return Effect.provideService(work, Tracer.ParentSpan, new NonRecordingSpan(parent, attributes));
    }
    if (!fiber.getRef(Sampler)(parent)) {
        return Effect.provideService(work, Tracer.ParentSpan, new NonRecordingSpan(parent, attributes, false));
    }
    const options = {
        kind: "consumer",
        sampled: true,
        attributes: {
            ...messagingAttributes(operation, message.subject, message.id),
            ...prefixed(attributes()),
        },
        ...(parent === undefined ? { root: true } : { parent }),
    };
    // Hot path: `withSpan` would also capture a stack frame per message.
    return Effect.useSpan(`${operation.name} ${message.subject}`, options, (span) => Effect.provideService(work, Tracer.ParentSpan, span));
});
/**
 * A span that is not recorded (OpenTelemetry's NonRecordingSpan). It propagates the trace and creates its ids lazily, so a
 * message costs almost nothing while no tracer collects spans.
 */
class NonRecordingSpan {
    _tag = "ExternalSpan";
    sampled;
    annotations = Context.empty();
    attributes;
    parent;
    trace;
    span;
    constructor(parent, attributes, sampled = parent?.sampled ?? true) {
        this.parent = parent;
        this.attributes = attributes;
        this.sampled = sampled;
    }
    get traceId() {
        return (this.trace ??= this.parent?.traceId ?? randomHex(16));
    }
    get spanId() {
        return (this.span ??= randomHex(8));
    }
}
const noAttributes = () => ({});
/** Payload fields that become attributes of log lines and spans. */
const idFields = ["media_id", "notification_id", "transcription_id", "room_id", "stream_id", "message_id", "user_id"];
/** Attributes of a payload. `eventId` is the id of its event, or of the event that caused the work. */
export const payloadAttributes = (type, eventId, requestId, payload) => {
    const attributes = { event_type: type, event_id: eventId };
    if (requestId !== undefined)
        attributes["request_id"] = requestId;
    if (typeof payload !== "object" || payload === null)
        return attributes;
    for (const [name, value] of Object.entries(payload)) {
        if (typeof value === "string" && idFields.includes(name))
            attributes[name] = value;
    }
    return attributes;
};
export const eventAttributes = (event) => ({
    ...payloadAttributes(event.event_type, event.event_id, event.request_id, event.payload),
    ...(event.event_type === "notification.requested" ? { notification_id: notificationIdOf(event) } : {}),
});
/** The attributes of the message that is being handled, found from any span below its consumer span. */
export const attributesOf = (span) => {
    for (let current = span; current !== undefined; current = parentSpan(current)) {
        if (current instanceof NonRecordingSpan)
            return current.attributes();
        if (current._tag === "Span" && current.kind === "consumer")
            return ownAttributes(current.attributes);
    }
    return {};
};
const parentSpan = (span) => span._tag === "Span" ? Option.getOrUndefined(span.parent) : undefined;
const ownAttributes = (attributes) => Object.fromEntries([...attributes].flatMap(([key, value]) => typeof value === "string" && key.startsWith(attributePrefix) ? [[key.slice(attributePrefix.length), value]] : []));
/** Unique, and no secret: as OpenTelemetry's generator of ids. */
const randomHex = (bytes) => {
    let text = "";
    while (text.length < 2 * bytes) {
        const word = Math.random() * 0x100000000;
        // The first byte is not 0: an id of zeros is invalid.
        text += (hexOfByte[(word >>> 24) | 1] ?? "") + (hexOfByte[(word >>> 16) & 255] ?? "");
        text += (hexOfByte[(word >>> 8) & 255] ?? "") + (hexOfByte[word & 255] ?? "");
    }
    return text;
};
const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
/** Formats a W3C header. */
export const toTraceparent = ({ sampled, spanId, traceId }) => `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
/** The W3C header of the current span. */
export const currentTraceparent = Effect.withFiber(({ cache }) => Effect.succeed(cache.span === undefined ? undefined : toTraceparent(cache.span)));
