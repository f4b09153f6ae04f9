/** The server events of a channel with presence, and the presence part of its join. */
import { PresenceStatus } from "@armoricore/domain/events/realtime";
import { Timestamp } from "@armoricore/domain/JsonCodecs";
import { Effect, Schema } from "effect";
import { subtopic } from "./Presence.ts";
const Meta = Schema.Struct({
    phx_ref: Schema.String,
    phx_ref_prev: Schema.optionalKey(Schema.String),
    status: PresenceStatus,
    online_at: Timestamp,
});
/** By user id, in the format of the official Phoenix client's `Presence` class. */
const State = Schema.Record(Schema.String, Schema.Struct({ metas: Schema.Array(Meta) }));
export const events = {
    presence_state: { payload: State },
    /** A slow consumer that lost some gets the current `presence_state` instead. */
    presence_diff: { payload: Schema.Struct({ joins: State, leaves: State }), droppable: true },
    /** Instead of both, in a room above the list limit. */
    presence_count: { payload: Schema.Struct({ count: Schema.Int }), droppable: true },
};
/** Tracks the member's presence and pushes the state to it; an empty one too, since clients defer diffs until it arrives. */
export const trackMember = Effect.fnUntraced(function* (presence, member, status) {
    yield* member.listen(subtopic);
    const handle = yield* presence.track(member.topic, member.identity.userId, status);
    yield* member.push("presence_state", presence.state(member.topic));
    const count = presence.count(member.topic);
    if (count !== undefined)
        yield* member.push("presence_count", { count });
    return handle;
});
