/**
 * The handlers of moderation: `chat.message`, `comment.created` and their edits → `moderation.flagged`. Rules are cheap and may run twice
 * with the same result, so their handlers write no ledger; a model is asked once for each message.
 */
import { event as eventAddress } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { deriveId } from "@armoricore/domain/DeterministicId";
import * as Timestamp from "@armoricore/domain/Timestamp";
import { on } from "@armoricore/worker/Handler";
import { emit, toOutboundMessage } from "@armoricore/worker/ResultMessage";
import { Effect, Schedule } from "effect";
/** The event types that moderation reads. */
export const consumedTypes = [
    "chat.message",
    "chat.edited",
    "comment.created",
    "comment.edited",
];
export const handlers = (moderator, concurrency) => {
    const options = { concurrency, idempotent: !moderator.hasModel, onFailure: () => [] };
    const flag = (message, targetId = message.id) => Effect.map(moderator.check(message), (verdict) => verdict === undefined ? [] : [emit("moderation.flagged", flagged({ ...message, id: targetId }, verdict))]);
    return [
        on("chat.message", {
            ...options,
            handle: ({ payload: { content, message_id: id, room_id, timestamp, user_id } }) => flag({
                kind: "chat",
                id,
                conversationId: room_id,
                userId: user_id,
                content,
                writtenAtMillis: Timestamp.toMillis(timestamp),
            }),
        }),
        on("comment.created", {
            ...options,
            // The time in the payload comes from the client; the time of the event is from the server.
            handle: ({ timestamp, payload: { comment_id: id, content, stream_id, user_id } }) => flag({
                kind: "comment",
                id,
                conversationId: stream_id,
                userId: user_id,
                content,
                writtenAtMillis: Timestamp.toMillis(timestamp),
            }),
        }),
        // To the rules an edit is a message of its own, so that it is not taken for the repetition of the first one.
        on("chat.edited", {
            ...options,
            handle: ({ payload: { content, message_id: id, room_id, timestamp, user_id } }) => flag({
                kind: "chat",
                id: `${id} ${timestamp}`,
                conversationId: room_id,
                userId: user_id,
                content,
                writtenAtMillis: Timestamp.toMillis(timestamp),
            }, id),
        }),
        on("comment.edited", {
            ...options,
            handle: ({ payload: { comment_id: id, content, stream_id, timestamp, user_id } }) => flag({
                kind: "comment",
                id: `${id} ${timestamp}`,
                conversationId: stream_id,
                userId: user_id,
                content,
                writtenAtMillis: Timestamp.toMillis(timestamp),
            }, id),
        }),
    ];
};
const flagged = ({ kind, id, conversationId, userId: user_id }, verdict) => ({
    target: { kind, id, user_id, ...(kind === "chat" ? { room_id: conversationId } : { stream_id: conversationId }) },
    ...verdict,
});
const reportInterval = "1 second";
const finalReportTimeout = "2 seconds";
/**
 * Publishes the number of messages of each flood that ended, until the scope closes; then that of the floods that still
 * run. A process that is killed leaves the number of its last flag.
 */
export const reportFinishedFloods = Effect.fnUntraced(function* (moderator) {
    const bus = yield* EventBus;
    let waiting = [];
    const publish = Effect.fnUntraced(function* ({ message, verdict }) {
        const { conversationId, kind, userId } = message;
        // A flood has one final flag.
        const eventId = deriveId("flood", kind, conversationId, userId, verdict.reasons.join(), verdict.flood.since);
        const { body, id } = yield* toOutboundMessage("ai", { eventId }, emit("moderation.flagged", flagged(message, verdict)));
        yield* bus.publish({ address: eventAddress("moderation.flagged"), id, body: new TextEncoder().encode(body) });
    });
    const report = Effect.fnUntraced(function* (everything) {
        waiting = [...waiting, ...(yield* moderator.takeFinishedFloods(everything))];
        for (const flood of waiting) {
            yield* publish(flood).pipe(Effect.catchTag("PermanentError", (error) => Effect.logError(`the bus rejected the last flag of a flood: ${error.message}`)));
            waiting = waiting.slice(1);
        }
    });
    const retryLater = (everything) => Effect.catch(report(everything), (error) => Effect.logDebug("cannot publish the last flag of a flood; retrying", error));
    yield* Effect.addFinalizer(() => Effect.timeoutOption(retryLater(true), finalReportTimeout));
    yield* Effect.forkScoped(Effect.repeat(retryLater(false), Schedule.spaced(reportInterval)));
});
