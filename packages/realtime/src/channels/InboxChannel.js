/**
 * `inbox:{user_id}`: the in-app notifications of one user with their read state, for a bell with an unread count. `JoinPolicy`
 * admits only that user. Every change is announced to all sockets of the user, so that two tabs show the same.
 */
import { UserId } from "@armoricore/domain/Ids";
import { InboxItem } from "@armoricore/domain/Inbox";
import { NonNegativeIntFromJson, optionalNullable, PositiveIntFromJson } from "@armoricore/domain/JsonCodecs";
import { userInboxes } from "@armoricore/state/UserInbox";
import { Effect, Schema } from "effect";
import * as Channel from "../channel/Channel.ts";
import { Inboxes } from "../inbox/Inboxes.ts";
import { Topics } from "../pubsub/Topics.ts";
import { Empty } from "./MessageFields.ts";
const defaultLimit = 50;
const maxLimit = 200;
const page = {
    /** Ascending by `seq`, without archived items. */
    items: Schema.Array(InboxItem),
    /** Unread items of the whole inbox. */
    unread: Schema.Int,
    /** Items follow: later ones after a request with `since` or `after`, otherwise earlier ones. */
    more: Schema.Boolean,
};
const ItemIds = Schema.Struct({
    ids: Schema.Array(Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(200))).check(Schema.isMinLength(1), Schema.isMaxLength(1_000)),
});
const Change = Schema.Struct({
    /** The items that changed. */
    ids: Schema.Array(Schema.String),
    /** Unread items afterwards. */
    unread: Schema.Int,
});
export const channel = Channel.make({
    topic: "inbox:{user_id}",
    params: { user_id: UserId },
    join: {
        payload: Schema.Struct({
            /** The last `seq` that the client received; the reply has the oldest items after it. */
            since: optionalNullable(NonNegativeIntFromJson),
            /** Without `since`: so many of the newest items; default 50, at most 200. */
            last: optionalNullable(NonNegativeIntFromJson),
        }),
        reply: Schema.Struct(page),
    },
    client: {
        mark_read: { payload: ItemIds, reply: Change },
        mark_all_read: {
            /** With `up_to` only items up to this `seq`. */
            payload: Schema.Struct({ up_to: optionalNullable(NonNegativeIntFromJson) }),
            reply: Change,
        },
        archive: { payload: ItemIds, reply: Change },
        items: {
            payload: Schema.Struct({
                before: optionalNullable(NonNegativeIntFromJson),
                after: optionalNullable(NonNegativeIntFromJson),
                /** Default 50, at most 200. */
                limit: optionalNullable(PositiveIntFromJson),
                archived: optionalNullable(Schema.Boolean),
                unread: optionalNullable(Schema.Boolean),
            }),
            reply: Schema.Struct(page),
            allowGuests: true,
        },
        ping: { payload: Empty, allowGuests: true },
    },
    server: {
        /** A new item; `unread` is the count afterwards. */
        inbox_item: { payload: Schema.Struct({ ...InboxItem.fields, unread: Schema.Int }) },
        inbox_read: { payload: Change },
        inbox_archived: { payload: Change },
    },
    buckets: { writes: [userInboxes.bucket] },
});
export const layer = channel.toLayer(Effect.gen(function* () {
    const inboxes = yield* Inboxes;
    const topics = yield* Topics;
    return channel.handlers(Effect.fnUntraced(function* ({ params, topic }, { last, since }) {
        // An item that another node announces from now on follows the reply.
        yield* topics.awaitReady(topic);
        const limit = Math.min(maxLimit, since === undefined ? (last ?? defaultLimit) : maxLimit);
        const reply = yield* inboxes.list(params.user_id, { after: since, limit });
        return { reply, upToSeq: reply.items.at(-1)?.seq ?? since ?? 0 };
    }), {
        on: {
            mark_read: ({ params }, { ids }) => inboxes.markRead(params.user_id, ids),
            mark_all_read: ({ params }, { up_to }) => inboxes.markAllRead(params.user_id, up_to),
            archive: ({ params }, { ids }) => inboxes.archive(params.user_id, ids),
            items: ({ params }, { after, archived, before, limit = defaultLimit, unread }) => inboxes.list(params.user_id, {
                after,
                before,
                archived,
                unreadOnly: unread,
                limit: Math.min(maxLimit, limit),
            }),
            ping: () => Effect.void,
        },
    });
}));
