/**
 * Converts RabbitMQ messages into the port's records. Facts that the broker does not store travel in headers: the
 * subject after a message left its first exchange, the deliveries before a delay, and the arrival time.
 */
import { createHash } from "node:crypto";
import { subjectOf } from "./RabbitNames.ts";
const subjectHeader = "armoricore-subject";
/** Deliveries before the last delay. */
const deliveriesHeader = "armoricore-tries";
/** The remainder of a delay that is longer than the longest queue's. */
const remainingDelayHeader = "armoricore-rest";
const deadLetterIdHeader = "armoricore-letter";
/** The header that the broker's `message_interceptors.incoming.set_header_timestamp` and the timestamp plugin set. */
const arrivalTimeHeader = "timestamp_in_ms";
const internalHeaders = new Set([
    subjectHeader,
    deliveriesHeader,
    remainingDelayHeader,
    deadLetterIdHeader,
    arrivalTimeHeader,
    "x-delivery-count",
    "CC",
    "BCC",
]);
const isInternalHeader = (name) => internalHeaders.has(name) || /^x-(death$|first-death-|last-death-|opt-|acquired-count$)/.test(name);
const rawHeaders = (message) => message.headers ?? {};
const numericHeader = (message, name) => {
    const value = Number(rawHeaders(message)[name] ?? 0);
    return Number.isFinite(value) && value > 0 ? value : 0;
};
const headersOf = (message) => {
    const plain = {};
    for (const [name, value] of Object.entries(rawHeaders(message))) {
        if (!isInternalHeader(name))
            plain[name] = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
    }
    return plain;
};
const bodyOf = (message) => Buffer.isBuffer(message.body) ? message.body : Buffer.from(String(message.body ?? ""));
/** An outside publisher that sets the header must not disguise its event: the exchange is checked first. */
const subjectFrom = (message) => {
    const carried = rawHeaders(message)[subjectHeader];
    return subjectOf(message.exchange, message.routingKey) ?? (typeof carried === "string" ? carried : message.routingKey);
};
const arrivalTime = (message, now) => {
    const millis = numericHeader(message, arrivalTimeHeader);
    return millis > 0 ? Math.min(millis, now) : message.timestamp ? Math.min(message.timestamp * 1_000, now) : now;
};
export const stored = (message, now) => ({
    subject: subjectFrom(message),
    id: message.messageId ?? "",
    headers: headersOf(message),
    body: bodyOf(message),
    arrivedAt: arrivalTime(message, now),
});
export const received = (message) => ({
    subject: subjectFrom(message),
    headers: headersOf(message),
    body: bodyOf(message),
    ...(message.messageId === undefined || message.messageId === "" ? {} : { id: message.messageId }),
});
/**
 * The delivery count of this consumer, over delays and requeues. The broker sets `x-delivery-count` only on redeliveries;
 * on a first delivery the header is the publisher's.
 */
export const deliveryCount = (message) => (isForwarded(message) ? numericHeader(message, deliveriesHeader) : 0) +
    (message.redelivered ? numericHeader(message, "x-delivery-count") : 0) +
    1;
/** Milliseconds that a forwarded message still has to wait. */
export const remainingDelay = (message) => isForwarded(message) ? numericHeader(message, remainingDelayHeader) : 0;
/** Set by this program, not by an outside publisher that sets our headers. */
const isForwarded = (message) => subjectOf(message.exchange, message.routingKey) === undefined;
/** Identifies the message within its consumer. A publisher's id may be too long for the id of a dead letter, or unprintable. */
export const messageKey = (message) => message.messageId !== undefined && /^[\x21-\x7e]{1,128}$/.test(message.messageId)
    ? message.messageId
    : createHash("sha256")
        .update(message.messageId ?? "")
        .update(bodyOf(message))
        .digest("hex")
        .slice(0, 32);
export const outgoing = (id, headers, now) => ({
    messageId: id,
    timestamp: Math.floor(now / 1_000),
    headers: { ...headers, [arrivalTimeHeader]: now },
    durable: true,
});
/** The same message for another exchange; subject and arrival time are preserved. */
export const forwarded = (message, now, tries, left) => ({
    ...outgoing(message.messageId ?? "", headersOf(message), arrivalTime(message, now)),
    headers: {
        ...headersOf(message),
        [arrivalTimeHeader]: arrivalTime(message, now),
        [subjectHeader]: subjectFrom(message),
        ...(tries > 0 ? { [deliveriesHeader]: tries } : {}),
        ...(left > 0 ? { [remainingDelayHeader]: left } : {}),
    },
});
export const withDeadLetterId = (envelope, deadLetterId) => ({
    ...envelope,
    headers: { ...envelope.headers, [deadLetterIdHeader]: deadLetterId },
});
/** `undefined`: another program put the message into the queue. */
export const deadLetterIdOf = (message) => {
    const value = rawHeaders(message)[deadLetterIdHeader];
    return typeof value === "string" ? value : undefined;
};
export const body = bodyOf;
