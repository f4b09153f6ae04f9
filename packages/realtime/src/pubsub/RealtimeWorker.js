import * as Topic from "../channel/Topic.ts";
import * as RealtimeErasure from "../erasure/RealtimeErasure.ts";
import * as Erasure from "@armoricore/worker/erasure/Erasure";
import { PermanentError } from "@armoricore/domain/Errors";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { socketEventName } from "@armoricore/domain/EventRegistry";
import { Audiences } from "@armoricore/state/Audiences";
import { UserDevices } from "@armoricore/state/UserDevices";
import { UserInbox } from "@armoricore/state/UserInbox";
import { UserPreferences } from "@armoricore/state/UserPreferences";
import { on } from "@armoricore/worker/Handler";
import { emit } from "@armoricore/worker/ResultMessage";
import * as Worker from "@armoricore/worker/Worker";
import { Effect, Layer, RcMap, Semaphore } from "effect";
import { framePayload, storedUserEventTypes } from "./JobEvents.ts";
import { MessageChanges } from "../rooms/MessageChanges.ts";
import { RoomLog } from "../rooms/RoomLog.ts";
import * as UserRegistries from "./UserRegistries.ts";
/** Events that the handlers below consume. */
export const consumedTypes = [
    ...storedUserEventTypes,
    "inbox.item",
    "device.token_invalid",
    "device.token_restored",
    "moderation.flagged",
    "user.erase_requested",
];
export const layer = Layer.effectDiscard(Effect.gen(function* () {
    const userLocks = yield* RcMap.make({ lookup: (_userId) => Semaphore.make(1) });
    yield* Worker.run("realtime", [
        ...storedUserEventTypes.map((type) => storeUserEvent(type, userLocks)),
        UserRegistries.storeInboxItem(userLocks),
        UserRegistries.removeInvalidDevice,
        UserRegistries.restoreDevice,
        applyModeration,
        yield* Erasure.handler("realtime", yield* RealtimeErasure.makeStores, { isCoordinator: true }),
    ]);
})).pipe(Layer.provide([UserDevices.layer, UserInbox.layer, UserPreferences.layer, Audiences.layer]));
const concurrency = 16;
/**
 * Parallel across users, FIFO per user within a process. A partition of the ledger would keep the order over all processes,
 * but it returns waiting messages to the bus: hundreds of results for one user would take minutes. Across processes,
 * clients order events by their timestamp.
 */
const storeUserEvent = (type, userLocks) => {
    const handler = on(type, {
        concurrency,
        // The history stores an event id once.
        idempotent: true,
        handle: () => Effect.succeed([]),
        onFailure: () => [],
    });
    return {
        ...handler,
        // Uses the raw payload, which may have fields that this version does not know.
        decode: (message) => Effect.gen(function* () {
            const incoming = yield* handler.decode(message);
            const { event, raw } = yield* EventCodec.decode(message.body);
            return {
                ...incoming,
                handle: () => Effect.as(appendUserEvent(socketEventName(type), event, raw["payload"], userLocks), []),
            };
        }),
    };
};
const appendUserEvent = Effect.fnUntraced(function* (name, event, rawPayload, userLocks) {
    const { event_id, payload } = event;
    if (!("user_id" in payload))
        return;
    const roomLog = yield* RoomLog;
    const userLock = yield* RcMap.get(userLocks, payload.user_id);
    yield* roomLog
        .append(Topic.user(payload.user_id), { event: name, id: event_id, payload: framePayload(rawPayload, event) })
        // `removed` is the only ChannelError of an append. Job events are never removed; a removed one needs no delivery.
        .pipe(Effect.catchTag("ChannelError", () => Effect.void), userLock.withPermits(1));
    if (event.event_type === "media.deleted")
        yield* RealtimeErasure.removeMediaEvents(payload.user_id, event.payload.media_id, event_id);
}, Effect.scoped);
const applyModeration = on("moderation.flagged", {
    concurrency,
    handle: Effect.fnUntraced(function* ({ timestamp, payload: { target, reasons, action } }) {
        if (action !== "remove")
            return [];
        const { kind, id, room_id, stream_id, user_id } = target;
        const room = kind === "chat" ? room_id : stream_id;
        if (room === undefined) {
            const message = `cannot remove a ${kind} message: target.${kind === "chat" ? "room_id" : "stream_id"} is missing`;
            return yield* new PermanentError({ code: "invalid_target", message });
        }
        const topic = kind === "chat" ? Topic.chatRoom(room) : Topic.commentStream(room);
        const eventName = kind === "chat" ? "message_removed" : "comment_removed";
        const changes = yield* MessageChanges;
        yield* changes
            .remove(topic, { event: eventName, id, reason: reasons.join(", ") })
            // Only an append fails with a ChannelError, and only where the notice itself was removed.
            .pipe(Effect.catchTag("ChannelError", () => Effect.void));
        const removal = { user_id, reason: reasons.join(", "), timestamp };
        return [
            kind === "chat"
                ? emit("chat.removed", { ...removal, message_id: id, room_id: room })
                : emit("comment.removed", { ...removal, comment_id: id, stream_id: room }),
        ];
    }),
    onFailure: () => [],
});
