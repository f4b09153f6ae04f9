/**
 * Publishes with acknowledgement through one shared reply inbox; a request per message costs five times the CPU
 * (measured).
 *
 * An acknowledgement that does not arrive within 5 s fails with TransientError `timeout`. The message may be stored all
 * the same: retry with the same id, and the stream drops the duplicate.
 */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors";
import { Effect, Stream } from "effect";
import { Events, createInbox } from "nats";
import * as MessageSize from "@armoricore/domain/MessageSize";
import { publishErrorFrom } from "./NatsErrors.ts";
import * as NatsHeaders from "./NatsHeaders.ts";
const ackTimeout = 5_000;
/**
 * Ends with the scope; publishes in flight then fail with `timeout`. `onNoStream` decides the error for a subject that
 * no stream responds for: the stream is missing, or its servers are electing a leader.
 */
export const make = Effect.fnUntraced(function* (client, inboxPrefix, onNoStream = (subject) => Effect.fail(noStream(subject))) {
    const inbox = inboxPrefix === undefined ? createInbox() : createInbox(inboxPrefix);
    const pending = new Map();
    let lastToken = 0;
    const settle = (token, result) => {
        const entry = pending.get(token);
        pending.delete(token);
        entry?.resume(result);
    };
    yield* Effect.acquireRelease(Effect.sync(() => {
        const subscription = client.subscribe(`${inbox}.*`, {
            callback: (error, message) => {
                if (error !== null)
                    return;
                const token = message.subject.slice(inbox.length + 1);
                const entry = pending.get(token);
                if (entry !== undefined)
                    settle(token, parsePublishAck(entry.subject, message, onNoStream));
            },
        });
        // Entries are ordered by deadline, so the check stops at the first that is not due. One raw timer for all
        // publishes in flight: a timeout fiber per message is too expensive here (measured).
        const watch = setInterval(() => {
            const now = Date.now();
            for (const [token, entry] of pending) {
                if (entry.deadline > now)
                    break;
                settle(token, Effect.fail(ackTimedOut(entry.subject)));
            }
        }, 250);
        return { subscription, watch };
    }), ({ subscription, watch }) => Effect.sync(() => {
        clearInterval(watch);
        subscription.unsubscribe();
        for (const [token, entry] of pending)
            settle(token, Effect.fail(ackTimedOut(entry.subject)));
    }));
    // The server reports a forbidden publish only as a status event. Ends with the scope.
    yield* Effect.forkScoped(Stream.fromAsyncIterable(client.status(), (cause) => cause).pipe(Stream.runForEach((event) => Effect.sync(() => {
        const context = event.type === Events.Error ? event.permissionContext : undefined;
        if (context?.operation !== "publish")
            return;
        for (const [token, entry] of pending) {
            if (entry.subject === context.subject)
                settle(token, Effect.fail(publishForbidden(entry.subject)));
        }
    })), Effect.ignore));
    const publisher = {
        publish: (subject, id, body, extra) => Effect.callback((resume) => {
            const limit = client.info?.max_payload ?? MessageSize.maxMessageBytes;
            const bytes = MessageSize.messageBytes(body, extra) + (id?.length ?? 0) + 32;
            if (bytes > limit)
                return resume(Effect.fail(MessageSize.tooLarge(subject, bytes, limit)));
            const fault = MessageSize.headerFault(id ?? "", extra);
            if (fault !== undefined)
                return resume(Effect.fail(fault));
            const token = (++lastToken).toString(36);
            pending.set(token, { subject, resume, deadline: Date.now() + ackTimeout });
            try {
                const headers = NatsHeaders.make(id, extra);
                client.publish(subject, body, { headers, reply: `${inbox}.${token}` });
            }
            catch (cause) {
                settle(token, Effect.fail(new TransientError({
                    dependency: "bus",
                    code: "unavailable",
                    message: "The connection to NATS is closed",
                    cause,
                })));
            }
            return Effect.sync(() => void pending.delete(token));
        }),
    };
    return publisher;
});
const forbiddenPrefix = "subject ";
/** Distinguishes a missing permission from a missing stream. */
export const isForbidden = ({ setting }) => setting.startsWith(forbiddenPrefix);
const publishForbidden = (subject) => new ConfigurationError({
    setting: forbiddenPrefix + subject,
    message: `The NATS user may not publish ${subject}; extend its permissions`,
});
const ackTimedOut = (subject) => new TransientError({
    dependency: "bus",
    code: "timeout",
    message: `NATS did not acknowledge the message for ${subject} within ${ackTimeout} ms`,
});
export const noStream = (subject) => new ConfigurationError({
    setting: `stream of ${subject}`,
    message: `No stream stores ${subject}; run "armoricore setup" against this NATS server`,
});
const parsePublishAck = (subject, message, onNoStream) => {
    if (message.data.byteLength === 0)
        return onNoStream(subject);
    // JetStream's PubAck, a fixed shape of the protocol.
    const ack = message.json();
    return ack.error === undefined
        ? Effect.succeed({ duplicate: ack.duplicate === true, sequence: ack.seq ?? 0 })
        : Effect.fail(publishErrorFrom(subject, ack.error));
};
