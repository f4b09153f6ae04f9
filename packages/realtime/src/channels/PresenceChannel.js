/** `presence:room:{room_id}`: who is there, and how. Each join is one presence; a user may have several. */
import { PresenceStatus } from "@armoricore/domain/events/realtime";
import { RoomId } from "@armoricore/domain/Ids";
import { optionalNullable } from "@armoricore/domain/JsonCodecs";
import { Effect, Schema } from "effect";
import * as Channel from "../channel/Channel.ts";
import { Presence } from "../presence/Presence.ts";
import * as PresenceEvents from "../presence/PresenceEvents.ts";
import { Empty } from "./MessageFields.ts";
export const channel = Channel.make({
    topic: "presence:room:{room_id}",
    params: { room_id: RoomId },
    join: { payload: Schema.Struct({ status: optionalNullable(PresenceStatus) }), reply: Empty },
    client: { update_status: { payload: Schema.Struct({ status: PresenceStatus }) } },
    server: PresenceEvents.events,
});
export const layer = channel.toLayer(Effect.gen(function* () {
    const presence = yield* Presence;
    return channel.handlers(Effect.fnUntraced(function* (room, { status }) {
        return { reply: {}, present: yield* PresenceEvents.trackMember(presence, room, status ?? "online") };
    }), { on: { update_status: (room, { status }) => room.state.present.update(status) } });
}));
