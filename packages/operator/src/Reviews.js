/**
 * Messages that moderation flagged for review: a durable consumer stores each of them, with its text if the history
 * still has it. An operator approves it or removes it: a removal publishes the event that moderation itself would
 * publish, so that history, sockets and the backend learn of it.
 */
import * as Topic from "@armoricore/realtime/channel/Topic";
import * as ConsumerName from "@armoricore/bus/ConsumerName";
import { event as eventAddress } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { TransientError } from "@armoricore/domain/Errors";
import { encodeId } from "@armoricore/domain/EncodedId";
import { History } from "@armoricore/history/History";
import * as Collection from "@armoricore/state/Collection";
import { on } from "@armoricore/worker/Handler";
import { emit, toOutboundMessage } from "@armoricore/worker/ResultMessage";
import * as Worker from "@armoricore/worker/Worker";
import { Clock, Context, Duration, Effect, Layer, Option, Result, Schema } from "effect";
import { ActionRejected } from "./api/Errors.ts";
import { Review } from "./api/Review.ts";
import { traceIdOf } from "@armoricore/worker/TraceContext";
const isMatch = ({ conversation_id, reason, status, user_id }, review) => (status === undefined || review.status === status) &&
    (reason === undefined || review.reasons.includes(reason)) &&
    (user_id === undefined || review.user_id === user_id) &&
    (conversation_id === undefined || review.conversation_id === conversation_id);
export class Reviews extends Context.Service()("@armoricore/operator/Reviews") {
    static layer = Layer.effect(Reviews, Effect.suspend(() => make));
}
const StoredReview = Schema.Struct({
    ...Review.fields,
    event_id: Schema.String,
    request_id: Schema.optionalKey(Schema.String),
});
export const reviews = {
    bucket: { name: "reviews", maxAge: Duration.days(30) },
    schema: StoredReview,
};
/** The reviews of a user's messages, for the erasure of the user. */
export const makeErasureStore = Effect.map(Collection.make(reviews), (stored) => ({
    name: "reviews",
    erase: Effect.fn("Reviews.erase")(function* ({ userId }) {
        let removed = 0;
        yield* Collection.forEach(stored, ({ key, value }) => value.user_id === userId
            ? Effect.andThen(Collection.retryConflicts(stored.remove(key)), Effect.sync(() => void removed++))
            : Effect.void);
        return removed;
    }),
}));
/** A message has one review, however often it is flagged, and so has a flood of a user in a room. */
const reviewKey = ({ flood, reasons, target: { kind, id, room_id, stream_id, user_id } }) => {
    const conversation = room_id ?? stream_id ?? "";
    if (flood === undefined)
        return `${kind}.${conversation}.${id}`;
    // The same text may come in many rooms.
    const place = reasons.includes("flood") ? `${conversation}.flood` : "repeated";
    return `${kind}.${place}.${encodeId(user_id)}.${Date.parse(flood.since)}`;
};
const pageSize = 500;
/** Maximum reviews read to find the newest. */
const maxScanned = 5_000;
/** How far back in the history a flagged message is searched. */
const historySearchLimit = 200;
const make = Effect.gen(function* () {
    const bus = yield* EventBus;
    const stored = yield* Collection.make(reviews);
    /** Only from `pending`: a second decision fails. Our consumer may have received our own removal first. */
    const decide = (reviewId, status, by) => Effect.gen(function* () {
        const at = new Date(yield* Clock.currentTimeMillis).toISOString();
        return yield* stored.modify(reviewId, (found) => Effect.gen(function* () {
            const known = Option.getOrUndefined(found)?.value;
            const isOwnRemoval = status === "removed" && known?.status === "removed" && known.decided_by === "rules";
            const review = isOwnRemoval ? known : yield* requirePending(found, reviewId);
            return [review, Option.some({ ...review, status, decided_by: by, decided_at: at })];
        }));
    });
    return Reviews.of({
        list: Effect.fnUntraced(function* (query) {
            const found = [];
            let after;
            while (found.length < maxScanned) {
                const documents = yield* stored.list({ limit: pageSize, ...(after === undefined ? {} : { after }) });
                for (const { value } of documents)
                    if (isMatch(query, value))
                        found.push(value);
                after = documents.at(-1)?.key;
                if (documents.length < pageSize)
                    break;
            }
            return found
                .sort((a, b) => Date.parse(b.flagged_at) - Date.parse(a.flagged_at))
                .slice(0, query.limit)
                .map(({ event_id: _event, request_id: _request, ...review }) => review);
        }),
        approve: (reviewId, by) => Effect.asVoid(decide(reviewId, "approved", by)),
        remove: Effect.fnUntraced(function* (reviewId, by) {
            const review = yield* Effect.flatMap(stored.get(reviewId), (found) => requirePending(found, reviewId));
            const { event_id: eventId, kind, message_id: id, conversation_id, reasons, request_id: requestId, user_id, } = review;
            const target = {
                kind,
                id,
                user_id,
                ...(kind === "chat" ? { room_id: conversation_id } : { stream_id: conversation_id }),
            };
            const flagged = emit("moderation.flagged", { target, reasons, action: "remove" }, "operator");
            // Published first: after a crash the same event is published again under the same id.
            const outbound = yield* toOutboundMessage("ai", { eventId, requestId }, flagged);
            yield* bus.publish({
                address: eventAddress("moderation.flagged"),
                id: outbound.id,
                body: new TextEncoder().encode(outbound.body),
            });
            yield* decide(reviewId, "removed", by);
        }),
    });
});
const requirePending = (found, reviewId) => {
    const review = Option.getOrUndefined(found)?.value;
    if (review === undefined) {
        return Effect.fail(new ActionRejected({ code: "not_found", message: `no flagged message has the id ${reviewId}` }));
    }
    return review.status === "pending"
        ? Effect.succeed(review)
        : Effect.fail(new ActionRejected({
            code: "too_late",
            message: `it was ${review.status} already${review.decided_by === undefined ? "" : ` by ${review.decided_by}`}`,
        }));
};
/** The durable consumer that stores flagged messages. */
export const consumer = {
    name: ConsumerName.of("operator", eventAddress("moderation.flagged")),
    from: eventAddress("moderation.flagged"),
};
/** The worker. */
export const layerWorker = Layer.effectDiscard(Effect.gen(function* () {
    const stored = yield* Collection.make(reviews);
    const history = yield* History;
    const storeFlagged = Effect.fnUntraced(function* (event) {
        const { action, flood, reasons, target } = event.payload;
        const conversation_id = target.room_id ?? target.stream_id;
        if (conversation_id === undefined)
            return [];
        const topic = target.kind === "chat" ? Topic.chatRoom(conversation_id) : Topic.commentStream(conversation_id);
        const content = action === "review" ? yield* findContent(history, topic, target.id) : undefined;
        const trace = traceIdOf(event.traceparent);
        const newReview = {
            review_id: reviewKey(event.payload),
            event_id: event.event_id,
            kind: target.kind,
            message_id: target.id,
            conversation_id,
            user_id: target.user_id,
            reasons,
            flagged_at: event.timestamp,
            ...(content === undefined ? {} : { content }),
            ...(flood === undefined ? {} : { count: flood.count }),
            ...(trace === undefined ? {} : { trace_id: trace }),
            ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
            ...(action === "review"
                ? { status: "pending" }
                : { status: "removed", decided_by: "rules", decided_at: event.timestamp }),
        };
        yield* stored.modifyOrRetry(newReview.review_id, (found) => {
            const known = Option.getOrUndefined(found)?.value;
            if (known === undefined)
                return Effect.succeed([undefined, Option.some(newReview)]);
            // A later flag of a flood only raises its number of messages.
            if (newReview.count !== undefined && newReview.count > (known.count ?? 0)) {
                return Effect.succeed([undefined, Option.some({ ...known, count: newReview.count })]);
            }
            // An operator's decision stands; a pending review is settled when the rules remove the message.
            const isSettled = known.status === "pending" && newReview.status === "removed";
            const { decided_at, decided_by, status } = newReview;
            const settledReview = {
                ...known,
                status,
                ...(decided_by === undefined ? {} : { decided_by }),
                ...(decided_at === undefined ? {} : { decided_at }),
            };
            return Effect.succeed([
                undefined,
                isSettled ? Option.some(settledReview) : Option.none(),
            ]);
        });
        return [];
    });
    yield* Worker.run("operator", [
        on("moderation.flagged", { concurrency: 4, idempotent: true, handle: storeFlagged, onFailure: () => [] }),
    ]);
}));
const HistoryMessage = Schema.fromJsonString(Schema.Struct({ payload: Schema.Struct({ content: Schema.String }) }));
const decodeHistoryMessage = Schema.decodeUnknownResult(HistoryMessage);
/** The text of the message from the history. Without it the review shows no text. */
const findContent = (history, room, id) => history.read(room, { limit: historySearchLimit }).pipe(Effect.map(({ items }) => {
    const item = items.find((each) => each.id === id);
    if (item === undefined)
        return undefined;
    const message = decodeHistoryMessage(new TextDecoder().decode(item.body));
    return Result.isSuccess(message) ? message.success.payload.content : undefined;
}), Effect.catch((error) => Effect.as(Effect.logDebug(`the text of a flagged message could not be read: ${error.message}`), undefined)));
