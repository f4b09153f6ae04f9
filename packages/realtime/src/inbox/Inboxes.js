import { UserInbox } from "@armoricore/state/UserInbox";
import { Context, Effect, Layer } from "effect";
import * as Topic from "../channel/Topic.ts";
import { Topics } from "../pubsub/Topics.ts";
export class Inboxes extends Context.Service()("@armoricore/realtime/Inboxes") {
    static layer = Layer.effect(Inboxes, Effect.gen(function* () {
        const inbox = yield* UserInbox;
        const topics = yield* Topics;
        /** Nothing changed: nothing to announce. */
        const announce = (event, userId, change) => change.ids.length === 0
            ? Effect.succeed(change)
            : Effect.as(topics.broadcast(Topic.inbox(userId), event, { ...change }), change);
        return {
            add: Effect.fn("Inboxes.add")(function* (userId, added) {
                const { item, unread } = yield* inbox.add(userId, added);
                if (item.archived_at !== undefined)
                    return;
                yield* topics.broadcast(Topic.inbox(userId), "inbox_item", { ...item, unread }, { seq: item.seq });
            }),
            list: inbox.list,
            markRead: (userId, ids) => Effect.flatMap(inbox.markRead(userId, ids), (change) => announce("inbox_read", userId, change)),
            markAllRead: (userId, upTo) => Effect.flatMap(inbox.markAllRead(userId, upTo), (change) => announce("inbox_read", userId, change)),
            archive: (userId, ids) => Effect.flatMap(inbox.archive(userId, ids), (change) => announce("inbox_archived", userId, change)),
        };
    }));
}
