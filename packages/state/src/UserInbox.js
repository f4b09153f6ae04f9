/**
 * The in-app inboxes: one document per user with its newest items, so that every change is one compare-and-set and the
 * unread count is exact. Items end by age, by number and by size, the oldest first.
 */
import { encodeId } from "@armoricore/domain/EncodedId";
import { InboxItem, InboxState } from "@armoricore/domain/Inbox";
import { Clock, Context, Duration, Effect, Layer, Option } from "effect";
import * as Collection from "./Collection.ts";
export const InboxRetention = Context.Reference("@armoricore/state/InboxRetention", {
    defaultValue: () => ({ maxAge: Duration.days(90), maxItems: 200 }),
});
/** Bytes of JSON; every adapter stores a document of this size. */
export const maxInboxBytes = 500_000;
export const userInboxes = {
    bucket: { name: "user_inbox", maxAge: "never" },
    schema: InboxState,
    skipEncode: true,
};
export class UserInbox extends Context.Service()("@armoricore/state/UserInbox") {
    static layer = Layer.effect(UserInbox, Effect.suspend(() => make));
}
const make = Effect.gen(function* () {
    const documents = yield* Collection.make(userInboxes);
    const retention = yield* InboxRetention;
    const maxAgeMillis = Duration.toMillis(retention.maxAge);
    const options = { expiresIn: retention.maxAge };
    const isCurrent = (now) => (item) => Date.parse(item.created_at) > now - maxAgeMillis;
    const change = (userId, update) => Effect.flatMap(Clock.currentTimeMillis, (now) => documents.modifyOrRetry(encodeId(userId), (found) => Effect.sync(() => {
        const before = stateOf(found);
        const at = new Date(now).toISOString();
        const current = before.items.filter(isCurrent(now));
        const items = current.map((item) => update(item, at));
        const ids = items.flatMap((item, index) => (item === current[index] ? [] : [item.id]));
        const result = { ids, unread: unreadOf(items) };
        return [result, ids.length === 0 ? Option.none() : Option.some({ ...before, items })];
    }), options));
    return UserInbox.of({
        add: Effect.fn("UserInbox.add")(function* (userId, added) {
            const now = yield* Clock.currentTimeMillis;
            return yield* documents.modifyOrRetry(encodeId(userId), (found) => Effect.sync(() => {
                // An inbox that expired begins above the numbers that it had: a client may still send one as `since`.
                const { items, last_seq } = stateOf(found, Math.floor(now / 1_000));
                const known = items.find(({ id }) => id === added.id);
                if (known !== undefined)
                    return [{ item: known, unread: unreadOf(items), fresh: false }, Option.none()];
                const item = { ...added, seq: last_seq + 1 };
                const next = trim([...items.filter(isCurrent(now)), item], retention.maxItems);
                const state = { last_seq: item.seq, items: next };
                return [{ item, unread: unreadOf(next), fresh: true }, Option.some(state)];
            }), options);
        }),
        list: Effect.fn("UserInbox.list")(function* (userId, { after, archived = false, before, limit, unreadOnly }) {
            const now = yield* Clock.currentTimeMillis;
            const items = stateOf(yield* documents.get(encodeId(userId))).items.filter(isCurrent(now));
            const matching = items.filter((item) => (item.archived_at !== undefined) === archived &&
                (unreadOnly !== true || item.read_at === undefined) &&
                (after === undefined || item.seq > after) &&
                (before === undefined || item.seq < before));
            const page = after === undefined ? matching.slice(Math.max(0, matching.length - limit)) : matching.slice(0, limit);
            return { items: page, unread: unreadOf(items), more: matching.length > page.length };
        }),
        markRead: Effect.fn("UserInbox.markRead")(function* (userId, ids) {
            const chosen = new Set(ids);
            return yield* change(userId, (item, at) => (chosen.has(item.id) ? read(item, at) : item));
        }),
        markAllRead: Effect.fn("UserInbox.markAllRead")(function* (userId, upTo = Number.POSITIVE_INFINITY) {
            return yield* change(userId, (item, at) => (item.seq <= upTo ? read(item, at) : item));
        }),
        archive: Effect.fn("UserInbox.archive")(function* (userId, ids) {
            const chosen = new Set(ids);
            return yield* change(userId, (item, at) => chosen.has(item.id) && item.archived_at === undefined ? { ...read(item, at), archived_at: at } : item);
        }),
        clear: Effect.fn("UserInbox.clear")(function* (userId) {
            yield* Collection.retryConflicts(documents.remove(encodeId(userId)));
        }),
    });
});
const stateOf = (found, last_seq = 0) => Option.match(found, { onNone: () => ({ last_seq, items: [] }), onSome: ({ value }) => value });
const read = (item, at) => (item.read_at === undefined ? { ...item, read_at: at } : item);
const unreadOf = (items) => items.reduce((count, { read_at }) => (read_at === undefined ? count + 1 : count), 0);
/** The newest items that fit. */
const trim = (items, maxItems) => {
    const newest = items.slice(-maxItems);
    let bytes = 0;
    const surplus = newest.findLastIndex((item) => {
        bytes += Buffer.byteLength(JSON.stringify(item)) + 1;
        return bytes > maxInboxBytes;
    });
    return newest.slice(surplus + 1);
};
