/**
 * The members of rooms: one small document per room and user, so that a join reads one key and a room may have any number
 * of members. A backend manages them over HTTP; `RoomMembership` applies changes to open sockets.
 */
import { encodeId } from "@armoricore/domain/EncodedId";
import { RoomId, UserId } from "@armoricore/domain/Ids";
import { Timestamp } from "@armoricore/domain/JsonCodecs";
import * as Collection from "@armoricore/state/Collection";
import { Clock, Context, Effect, Layer, Option, Schema } from "effect";
/** A name that is used as a role: the built-in ones, or one that a channel or a backend checks. */
export const RoleName = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_.-]{1,64}$/u, { expected: "1 to 64 characters of A-Z a-z 0-9 _ . -" }));
export const Member = Schema.Struct({
    room_id: RoomId,
    user_id: UserId,
    /** In this room it replaces the roles of the token; absent: the roles of the token count. */
    role: Schema.optionalKey(RoleName),
    /** When the user became a member. */
    since: Timestamp,
});
export const roomMembers = {
    bucket: { name: "room_members", maxAge: "never" },
    schema: Member,
};
export class RoomMembers extends Context.Service()("@armoricore/realtime/RoomMembers") {
}
/** `/` occurs in no encoded id. */
const keyOf = (roomId, userId) => `${encodeId(roomId)}/${encodeId(userId)}`;
export const layer = Layer.effect(RoomMembers, Effect.gen(function* () {
    const stored = yield* Collection.make(roomMembers);
    let changes = 0;
    const find = (roomId, userId) => Effect.suspend(() => {
        const before = changes;
        return Effect.flatMap(stored.get(keyOf(roomId, userId)), (found) => changes === before ? Effect.succeed(Option.map(found, ({ value }) => value)) : find(roomId, userId));
    });
    return {
        find,
        onChange: () => void changes++,
        put: Effect.fn("RoomMembers.put")(function* (roomId, userId, role) {
            const now = new Date(yield* Clock.currentTimeMillis).toISOString();
            return yield* stored.modifyOrRetry(keyOf(roomId, userId), (current) => {
                const member = {
                    room_id: roomId,
                    user_id: userId,
                    ...(role === undefined ? {} : { role }),
                    since: Option.match(current, { onNone: () => now, onSome: ({ value }) => value.since }),
                };
                const isSame = Option.isSome(current) && current.value.value.role === role;
                return Effect.succeed([member, isSame ? Option.none() : Option.some(member)]);
            });
        }),
        remove: Effect.fn("RoomMembers.remove")(function* (roomId, userId) {
            const key = keyOf(roomId, userId);
            const current = yield* stored.get(key);
            // Without the revision: a concurrent change of the role must not make the removal fail.
            yield* Collection.retryConflicts(stored.remove(key));
            return Option.isSome(current);
        }),
        list: Effect.fn("RoomMembers.list")(function* (roomId, { after, limit }) {
            const documents = yield* stored.list({
                prefix: `${encodeId(roomId)}/`,
                limit: limit + 1,
                ...(after === undefined ? {} : { after: keyOf(roomId, after) }),
            });
            const members = documents.slice(0, limit).map(({ value }) => value);
            const last = members.at(-1);
            return { members, ...(documents.length > limit && last !== undefined ? { next: last.user_id } : {}) };
        }),
    };
}));
