/**
 * Dead letters. The body is the message exactly as received, and one header holds the record of the failure, so that even
 * the largest event fits into one message.
 */
import { deadLetter, prefixes } from "@armoricore/bus/Address";
import { EventBus, } from "@armoricore/bus/EventBus";
import { headerFault } from "@armoricore/domain/MessageSize";
import { Clock, Effect, Option, Result, Schema } from "effect";
import * as Metrics from "../WorkerMetrics.ts";
export const deadLetterHeader = "Armoricore-Letter";
/** On a replayed message: the id of its dead letter. */
export const replayOfHeader = "Armoricore-Replay-Of";
/** On a message that was replayed unchanged: the only consumer that handles it. For readers; `Replays` decides. */
export const replayForHeader = "Armoricore-Replay-For";
/**
 * The reasons of Armoricore's own workers: an invalid event, the maximum number of deliveries, and the codes of transient
 * errors, which become dead letters after the last attempt. Services of others may add reasons.
 */
export const deadLetterReasons = [
    "undecodable",
    "invalid",
    "unknown_type",
    "unauthorized",
    "bad_signature",
    "too_large",
    "max_deliveries",
    "unavailable",
    "timeout",
    "throttled",
    "failed",
    "full",
    "internal_error",
    "crashed",
    "killed",
    "circuit_open",
    "write_conflict",
    "object_missing",
    "truncated_read",
    "unreadable",
    "invalid_stream",
    "invalid_encoder_output",
    "encoder_mismatch",
    "outcome_unknown",
    "not_recorded",
    "quota",
];
export const DeadLetterRecord = Schema.Struct({
    service: Schema.String,
    consumer: Schema.String,
    /** The fault is the same for every consumer of the message, so no consumer has handled it. */
    shared: Schema.optionalKey(Schema.Literal(true)),
    /** `work.<kind>` for internal work. The type of the subject if the body has no readable type. */
    event_type: Schema.String,
    /** For internal work, the event that caused it. */
    event_id: Schema.optionalKey(Schema.String),
    /** The subject of the message. */
    subject: Schema.String,
    message_id: Schema.String,
    /** One of {@link deadLetterReasons}, or the code of another transient error. */
    reason: Schema.String,
    message: Schema.String,
    /** The dotted path of the invalid field; empty for the whole message. */
    path: Schema.String,
    attempts: Schema.Int,
    /** RFC 3339. */
    first_at: Schema.String,
    last_at: Schema.String,
    traceparent: Schema.optionalKey(Schema.String),
    /** The dead letter that this message was replayed from. */
    replay_of: Schema.optionalKey(Schema.String),
});
/** Header values must be ASCII on every bus. */
const ascii = (text) => text.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
const toMessage = (info, body, headers) => ({
    address: deadLetter(info.service, info.event_type),
    body,
    headers: { ...truncateHeaders(headers), [deadLetterHeader]: ascii(JSON.stringify(info)) },
});
/**
 * A large body is stored by reference, but headers are copied. Headers beyond this size are dropped, so that the record
 * fits beside them into the 64 KiB that JetStream allows; so are headers that another bus accepted and this one refuses.
 */
const maxHeaderBytes = 24 * 1024;
const truncateHeaders = (headers) => {
    let remaining = maxHeaderBytes;
    return Object.fromEntries(Object.entries(headers).filter(([name, value]) => {
        const size = Buffer.byteLength(name) + Buffer.byteLength(value);
        const fits = size <= remaining && headerFault("", { [name]: value }) === undefined;
        if (fits)
            remaining -= size;
        return fits;
    }));
};
const decodeRecord = Schema.decodeUnknownEffect(Schema.fromJsonString(DeadLetterRecord));
/** `None` for a message on the dead-letter channel without our header. */
export const recordOf = (stored) => Effect.option(decodeRecord(stored.headers[deadLetterHeader] ?? ""));
/** Longer values are truncated. */
const maxFieldLength = 1_000;
const makeRecord = Effect.fnUntraced(function* (service, consumer, message, failure) {
    const { eventId, eventType } = peekIds(message);
    const traceparent = headerOf(message, "traceparent");
    const replayOf = headerOf(message, replayOfHeader);
    const info = {
        service,
        consumer,
        ...(failure.shared === true ? { shared: true } : {}),
        event_type: eventType,
        ...(eventId === undefined ? {} : { event_id: eventId }),
        subject: message.subject,
        message_id: message.id.slice(0, maxFieldLength),
        reason: failure.reason,
        message: failure.message.slice(0, maxFieldLength),
        path: failure.path.slice(0, maxFieldLength),
        attempts: failure.attempts,
        first_at: new Date(failure.firstAt).toISOString(),
        last_at: new Date(yield* Clock.currentTimeMillis).toISOString(),
        ...(traceparent === undefined ? {} : { traceparent: traceparent.slice(0, maxFieldLength) }),
        ...(replayOf === undefined ? {} : { replay_of: replayOf.slice(0, maxFieldLength) }),
    };
    return info;
});
/**
 * Counts and logs the dead letter when it is stored, and so once for all consumers of a message with the same fault. The
 * log line has the ids of the span in which the message failed.
 */
const onStored = (info, failure) => Effect.withFiber(({ context }) => Effect.succeed(Metrics.increment(Metrics.deadLettered, info.service, { type: info.event_type, reason: info.reason }).pipe(Effect.andThen(Effect.logWarning(`The message became a dead letter: ${failure.message}`, {
    reason: failure.reason,
    path: failure.path,
})), Effect.provideContext(context))));
const newDeadLetter = Effect.fnUntraced(function* (service, consumer, message, failure) {
    const info = yield* makeRecord(service, consumer, message, failure);
    return { deadLetter: toMessage(info, message.body, message.headers), onStored: yield* onStored(info, failure) };
});
/** The disposition that turns a delivery into a dead letter. */
export const disposition = (service, consumer, delivery, failure) => Effect.map(newDeadLetter(service, consumer, delivery, failure), (made) => ({
    _tag: "DeadLetter",
    ...made,
    ...(failure.shared === true ? { shared: true } : {}),
}));
/** The dead letter of a message that reached the maximum number of deliveries without an ack. */
export const onMaxDeliveries = (service, consumer) => (message) => newDeadLetter(service, consumer, message, {
    reason: "max_deliveries",
    message: "the message reached the maximum number of deliveries without an ack: its workers crash, or their acks are lost",
    path: "",
    attempts: 0,
    firstAt: message.arrivedAt,
});
/** Compares names case-insensitively, because buses and proxies change the case. */
export const headerOf = (message, name) => {
    for (const key in message.headers) {
        if (key.length === name.length && key.toLowerCase() === name.toLowerCase())
            return message.headers[key];
    }
    return undefined;
};
const textField = (value, name) => {
    const field = Reflect.get(value, name);
    return typeof field === "string" && field !== "" ? field.slice(0, 128) : undefined;
};
/** The ids of a message that may not be valid JSON. */
const peekIds = ({ body, subject, }) => {
    const parsed = Result.try(() => JSON.parse(new TextDecoder().decode(body)));
    const json = Result.isFailure(parsed) || typeof parsed.success !== "object" ? null : parsed.success;
    if (subject.startsWith(prefixes.work)) {
        const [, ...kind] = subject.slice(prefixes.work.length).split(".");
        return { eventId: json === null ? undefined : textField(json, "cause_id"), eventType: `work.${kind.join(".")}` };
    }
    return {
        eventId: json === null ? undefined : textField(json, "event_id"),
        eventType: (json === null ? undefined : textField(json, "event_type")) ?? typeOfSubject(subject),
    };
};
const typeOfSubject = (subject) => subject.startsWith(prefixes.event) ? subject.slice(prefixes.event.length, prefixes.event.length + 128) : "unknown";
/** Ends a replay with an edited body: a consumer has handled the edited message. */
export const removeOriginal = (deadLetterId) => Effect.flatMap(EventBus, ({ deadLetters }) => deadLetters.remove(deadLetterId)).pipe(
// Another consumer of the message, or an operator, was faster.
Effect.catchTag("NotFound", () => Effect.void), Effect.catch((error) => Effect.logWarning(`The dead letter ${deadLetterId} was replayed and handled, but could not be removed; discard it`, error)));
