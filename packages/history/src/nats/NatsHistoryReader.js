/**
 * Reads a room's items through a temporary consumer. In a cluster the consumer may read from a replica that is slightly
 * behind: the last item is therefore read from the stream's leader.
 */
import { TransientError } from "@armoricore/domain/Errors";
import { natsRequest, errorFrom } from "@armoricore/nats/NatsErrors";
import { Effect, Exit } from "effect";
import { AckPolicy, DeliverPolicy, nanos, } from "nats";
import { allSubjects, isMessageNotFound, itemIdOf, streamName, subjectOf } from "./NatsHistoryStream.ts";
const resource = `stream ${streamName}`;
/** The server deletes the consumer if the reader disappears. */
const inactiveThreshold = nanos(10_000);
/** As stored by the leader. */
export const getMessage = ({ manager }, query) => Effect.tryPromise({
    // The server accepts every direct-get query here; the client's type lacks this one.
    try: () => manager.streams.getMessage(streamName, query),
    catch: (cause) => cause,
}).pipe(Effect.catchIf(isMessageNotFound, () => Effect.succeed(undefined)), Effect.mapError(errorFrom(resource)));
/** The oldest items after `after`. */
export const readAfter = (nats, room, { after, limit, maxBytes }) => readConsistent(nats, room, (last) => {
    if (last <= after)
        return Effect.succeed(emptyPage);
    return Effect.map(readForward(nats, room, after + 1, enough(limit, maxBytes)), ({ items, isWhole }) => {
        if (isWhole && (items.at(-1)?.seq ?? 0) < last)
            return undefined;
        const count = countFitting(items, limit, maxBytes);
        return { items: items.slice(0, count), more: items.length > count || !isWhole };
    });
});
/** The latest items before `before`, or the latest of the room. */
export const readBefore = (nats, room, { before, limit, maxBytes }, headersOnly = false) => readConsistent(nats, room, (last) => Effect.gen(function* () {
    const end = Math.min(before ?? Number.POSITIVE_INFINITY, last + 1);
    const from = yield* findStart(nats, room, { end, last, wanted: limit + 1 });
    if (from === undefined)
        return emptyPage;
    const target = Math.min(end, last);
    const { items } = yield* readForward(nats, room, from, (found) => (found.at(-1)?.seq ?? 0) >= target, headersOnly);
    if ((items.at(-1)?.seq ?? 0) < target)
        return undefined;
    const latest = items.filter(({ seq }) => seq < end).reverse();
    const count = countFitting(latest, limit, maxBytes);
    return { items: latest.slice(0, count).reverse(), more: latest.length > count };
}));
const searchPage = 500;
/** Clients choose the ids that are searched, so the search ends after so many pages. */
const maxSearchPages = 20;
/** The `seq` of an item by its id, searched from the newest item on, over the latest 10,000. Bodies are not read. */
export const findId = Effect.fnUntraced(function* (nats, room, id) {
    let before;
    for (let pages = 0; pages < maxSearchPages; pages++) {
        const page = yield* readBefore(nats, room, { before, limit: searchPage }, true);
        const found = page.items.find((item) => item.id === id);
        if (found !== undefined)
            return found.seq;
        if (!page.more)
            break;
        before = page.items[0]?.seq;
    }
    return undefined;
});
/** The item at a `seq`, as it was appended. */
export const getItem = (nats, room, seq) => Effect.map(getMessage(nats, { seq }), (found) => found === undefined || found.subject !== subjectOf(room)
    ? undefined
    : { seq, id: itemIdOf(found.header.get("Nats-Msg-Id")), body: found.data });
/** The items of all rooms whose body matches. Other bodies are read and dropped. */
export const readAll = (nats, matches) => withConsumer(nats, allSubjects, 1, false, ({ name, num_pending: count }) => natsRequest(resource, async () => {
    const items = [];
    if (count === 0)
        return items;
    const consumer = await nats.js.consumers.get(streamName, name);
    for (let read = 0; read < count;) {
        const before = read;
        const batch = Math.min(maxFetch, count - read);
        for await (const message of await consumer.fetch({ max_messages: batch, expires: 2_000 })) {
            if (matches(message.data)) {
                const id = itemIdOf(message.headers?.get("Nats-Msg-Id"));
                items.push({ seq: message.seq, id, body: message.data, subject: message.subject });
            }
            if (++read - before === batch)
                break;
        }
        // Deleted since they were counted.
        if (read === before)
            break;
    }
    return items;
}));
/** The number of the room's items from a `seq` on. */
export const countFrom = (nats, room, from) => withConsumer(nats, subjectOf(room), from, true, ({ num_pending: count }) => Effect.succeed(count));
const emptyPage = { items: [], more: false };
/** How many items fit the limits of a page, at least one. */
export const countFitting = (items, limit, maxBytes = Number.POSITIVE_INFINITY) => {
    let bytes = 0;
    const excess = items.findIndex(({ body }, index) => {
        bytes += body.byteLength;
        return index > 0 && bytes > maxBytes;
    });
    return Math.min(limit, excess === -1 ? items.length : excess);
};
const enough = (limit, maxBytes = Number.POSITIVE_INFINITY) => {
    let bytes = 0;
    let counted = 0;
    return (items) => {
        for (; counted < items.length; counted++)
            bytes += items[counted]?.body.byteLength ?? 0;
        return items.length > limit || bytes > maxBytes;
    };
};
/** Repeats `read` until it returns a page: `undefined` means that the replica is behind the leader's `last` item. */
const readConsistent = Effect.fnUntraced(function* (nats, room, read) {
    for (let attempts = 0; attempts < 20; attempts++) {
        const last = yield* getMessage(nats, { last_by_subj: subjectOf(room) });
        if (last === undefined)
            return emptyPage;
        const page = yield* read(last.seq);
        if (page !== undefined)
            return page;
        yield* Effect.sleep(25);
    }
    return yield* new TransientError({
        dependency: "bus",
        code: "unavailable",
        message: `A replica of the ${resource} lags behind its leader; retry`,
    });
});
/** A range that has at most so many times the wanted items is read. */
const tolerance = 3;
/** More probes than a bisection of the largest stream needs. */
const maxProbes = 60;
/**
 * A `seq` from which on the room has at least `wanted` items before `end`, and few more; the room's first item if it has
 * fewer. JetStream reads only forward, but counts a subject's messages from any `seq` on. So the start is found by
 * interpolation, and by bisection where the items are distributed unevenly: the number of probes grows with the
 * logarithm of the stream's length.
 */
const findStart = Effect.fnUntraced(function* (nats, room, { end, last, wanted }) {
    const first = yield* getMessage(nats, { seq: 1, next_by_subj: subjectOf(room) });
    if (first === undefined || first.seq >= end)
        return undefined;
    const behind = end > last ? 0 : yield* countFrom(nats, room, end);
    const countBetween = (from) => Effect.map(countFrom(nats, room, from), (count) => Math.max(0, count - behind));
    let low = { seq: first.seq, count: yield* countBetween(first.seq) };
    let high = { seq: end, count: 0 };
    for (let probes = 0; probes < maxProbes; probes++) {
        if (low.count <= wanted * tolerance || high.seq - low.seq <= 1)
            break;
        const share = (wanted * 2 - high.count) / (low.count - high.count);
        const distance = probes % 2 === 0 ? Math.ceil((high.seq - low.seq) * share) : (high.seq - low.seq) >> 1;
        const seq = Math.min(high.seq - 1, Math.max(low.seq + 1, high.seq - distance));
        const count = yield* countBetween(seq);
        if (count >= wanted)
            low = { seq, count };
        else
            high = { seq, count };
    }
    return low.seq;
});
const maxFetch = 128;
/** Items from `from` on, until `isEnough` or the last one. `isWhole`: the last one was read. */
const readForward = (nats, room, from, isEnough, headersOnly = false) => withConsumer(nats, subjectOf(room), from, headersOnly, ({ name, num_pending: count }) => natsRequest(resource, async () => {
    const items = [];
    if (count === 0)
        return { items, isWhole: true };
    const consumer = await nats.js.consumers.get(streamName, name);
    while (items.length < count && !isEnough(items)) {
        const batch = Math.min(maxFetch, count - items.length);
        let received = 0;
        for await (const message of await consumer.fetch({ max_messages: batch, expires: 2_000 })) {
            const id = itemIdOf(message.headers?.get("Nats-Msg-Id"));
            items.push({ seq: message.seq, id, body: message.data });
            if (++received === batch)
                break;
        }
        // Removed or deleted since they were counted.
        if (received === 0)
            return { items, isWhole: true };
    }
    return { items, isWhole: items.length >= count };
}));
const withConsumer = ({ manager }, subject, from, headersOnly, use) => Effect.acquireUseRelease(natsRequest(resource, () => manager.consumers.add(streamName, {
    filter_subject: subject,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: Math.max(1, from),
    ack_policy: AckPolicy.None,
    inactive_threshold: inactiveThreshold,
    mem_storage: true,
    num_replicas: 1,
    headers_only: headersOnly,
})), use, ({ name }, exit) => 
// After an interrupted read the server deletes the consumer.
Exit.isSuccess(exit)
    ? Effect.ignore(natsRequest(resource, () => manager.consumers.delete(streamName, name)))
    : Effect.void);
