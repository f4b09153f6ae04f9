import { Effect } from "effect";
import * as ChangeLog from "./ChangeLog.ts";
import { decode } from "./RoomEntry.ts";
export const noChanges = { changes: [], rev: 0 };
/** Entries of a join reply where the client requests no number. */
export const defaultReplayLimit = 50;
/** The most entries of one reply. */
export const maxPageEntries = 1000;
export const pageOf = ({ after, before }, limit, maxBytes) => {
    const limits = { limit, maxBytes };
    return after !== undefined ? { after, ...limits } : before !== undefined ? { before, ...limits } : limits;
};
export const bytesOf = (items) => items.reduce((sum, { body }) => sum + body.byteLength, 0);
export const readReplay = Effect.fnUntraced(function* (stores, topic, page, rev) {
    const { after: since } = page;
    // Before the messages: these include every change up to it.
    const lastRev = yield* lastRevOf(stores, topic);
    // One entry shows whether there are any.
    const { items, more, complete } = yield* readPage(stores, topic, page.limit === 0 ? { ...page, limit: 1 } : page);
    const last = items.at(-1)?.seq;
    stores.outageBuffer.noteSequence(topic, Math.max(last ?? 0, complete ? (since ?? 0) : 0));
    const changed = since === undefined || (rev === undefined && lastRev === 0)
        ? undefined
        : yield* readChanges(stores, topic, rev ?? 0, (page.maxBytes ?? 0) - bytesOf(items));
    const isEmpty = page.limit === 0;
    const hasMore = more || changed?.more === true || (isEmpty && items.length > 0);
    const next = isEmpty ? (since ?? (items[0] === undefined ? undefined : items[0].seq + 1)) : (last ?? since);
    return {
        entries: isEmpty ? [] : items.map((item) => decode(item)),
        changes: changed?.changes ?? [],
        rev: changed === undefined ? lastRev : changed.rev,
        // Without a `rev`, the client may have received the changes that are no longer stored.
        recovered: since === undefined || (complete && (rev === undefined || changed?.complete !== false)),
        more: hasMore,
        next: !hasMore ? undefined : since === undefined && !isEmpty ? items[0]?.seq : next,
        upToSeq: isEmpty ? (since ?? 0) : (last ?? 0),
    };
});
/** The `rev` of the last change that this node knows of; 0 without any. Other nodes may have made later changes. */
const lastRevOf = ({ history, outageBuffer }, topic) => Effect.suspend(() => {
    if (!ChangeLog.hasChanges(topic))
        return Effect.succeed(0);
    const room = ChangeLog.roomOf(topic);
    const known = outageBuffer.highestSeq(room);
    if (known !== undefined)
        return Effect.succeed(known);
    return history.read(room, { limit: 1 }).pipe(Effect.map(({ items }) => {
        outageBuffer.noteSequence(room, items[0]?.seq ?? 0);
        return outageBuffer.highestSeq(room) ?? 0;
    }), 
    // Then the page of messages reports the outage.
    Effect.catchTag("TransientError", () => Effect.succeed(0)));
});
const minChangeBytes = 2048;
/** A page of the change log after a `rev`. During an outage of the history it is empty and incomplete. */
export const readChanges = (stores, topic, after, maxBytes) => {
    const room = ChangeLog.roomOf(topic);
    const page = { after, limit: maxPageEntries, maxBytes: Math.max(minChangeBytes, maxBytes) };
    return Effect.map(readPage(stores, room, page), ({ items, more, complete }) => ({
        changes: ChangeLog.collapse(items.map((item) => decode(item, "rev"))),
        rev: items.at(-1)?.seq ?? after,
        more,
        complete,
    }));
};
/** A page of the history; during an outage the topic's buffered entries, or an empty page. */
const readPage = ({ history, outageBuffer }, topic, page) => outageBuffer.has(topic)
    ? Effect.sync(() => ({ items: outageBuffer.entriesOf(topic).slice(-page.limit), more: false, complete: false }))
    : Effect.catchTag(history.read(topic, page), "TransientError", (error) => Effect.as(Effect.logWarning(`joined ${topic} without history: ${error.message}`), {
        items: [],
        more: false,
        complete: false,
    }));
