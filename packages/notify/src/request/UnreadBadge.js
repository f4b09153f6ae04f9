/** The badge `unread` of a push: the number of unread items in the inbox of the user when the push is sent. */
import { encodeId } from "@armoricore/domain/EncodedId";
import * as Collection from "@armoricore/state/Collection";
import { userInboxes } from "@armoricore/state/UserInbox";
import { Context, Effect, Layer, Option } from "effect";
export class UnreadBadge extends Context.Service()("@armoricore/notify/UnreadBadge") {
    static layer = Layer.effect(UnreadBadge, Effect.map(Collection.make(userInboxes), (inboxes) => {
        const count = Effect.fn("UnreadBadge.count")(function* (userId, expected) {
            const items = Option.getOrUndefined(yield* inboxes.get(encodeId(userId)))?.value.items ?? [];
            const stored = new Set(items.map(({ id }) => id));
            const unread = items.filter(({ archived_at, read_at }) => read_at === undefined && archived_at === undefined);
            return unread.length + expected.filter((id) => !stored.has(id)).length;
        });
        return UnreadBadge.of({
            count,
            resolve: (state) => {
                const { push } = state.content;
                return push?.badge !== "unread"
                    ? Effect.succeed(state)
                    : Effect.map(count(state.user_id, []), (badge) => ({
                        ...state,
                        content: { ...state.content, push: { ...push, badge } },
                    }));
            },
        });
    }));
}
