import { Context, Effect, Layer } from "effect";
import { unavailable, unknownEvent } from "../channel/ChannelError.ts";
import { ChannelRegistry } from "../channel/ChannelRegistry.ts";
import { Presence } from "../presence/Presence.ts";
import { Topics } from "../pubsub/Topics.ts";
import { RoomLog } from "../rooms/RoomLog.ts";
export class TopicAccess extends Context.Service()("@armoricore/realtime/TopicAccess") {
}
const maxPageBytes = 1_000_000;
export const layer = Layer.effect(TopicAccess, Effect.gen(function* () {
    const channels = yield* ChannelRegistry;
    const presence = yield* Presence;
    const roomLog = yield* RoomLog;
    const topics = yield* Topics;
    /**
     * A membership without a socket: it receives nothing, and its broadcasts reach every subscriber. A backend changes any
     * message, as a moderator does.
     */
    const memberFor = (topic, params, userId) => ({
        topic,
        params,
        identity: { userId, roles: ["moderator"], expiresAt: Number.POSITIVE_INFINITY },
        socketId: `backend:${userId}`,
        state: undefined,
        setGrant: () => { },
        omitReply: () => { },
        receive: () => { },
        send: () => { },
        broadcast: (event, payload, options) => topics.broadcast(topic, event, payload, options),
        listen: () => { },
        unlisten: () => { },
        awaitCapacity: Effect.succeed(maxPageBytes),
    });
    return TopicAccess.of({
        find: (topic) => {
            const found = channels.find(topic);
            if (found === undefined)
                return undefined;
            const { channel, params } = found;
            const { hasPresence, toMessage } = channel;
            return {
                messages: toMessage === undefined
                    ? undefined
                    : Effect.fn("TopicAccess.messages")(function* (request) {
                        const { entries, more, recovered } = yield* roomLog.history(topic, request, maxPageBytes);
                        return { messages: yield* Effect.forEach(entries, toMessage), more, recovered };
                    }),
                presence: hasPresence
                    ? Effect.sync(() => {
                        const users = presence.state(topic);
                        return { count: presence.count(topic) ?? Object.keys(users).length, users };
                    })
                    : undefined,
                events: [...channel.events].flatMap(([event, { allowBackends }]) => (allowBackends ? [event] : [])),
                send: Effect.fn("TopicAccess.send")(function* (userId, event, payload) {
                    const handler = channel.events.get(event);
                    if (handler?.allowBackends !== true)
                        return yield* unknownEvent(event);
                    const reply = yield* Effect.scoped(handler.handle(memberFor(topic, params, userId), payload));
                    // Members received the message, but it is not durable yet; a repetition with its `client_id` is the same message.
                    if (roomLog.hasUnstored(topic))
                        return yield* unavailable;
                    return reply;
                }),
                broadcast: (event, payload) => Effect.suspend(() => {
                    const live = channel.liveEvent?.(event, payload) ?? { event, payload };
                    return topics.broadcast(topic, live.event, live.payload);
                }),
            };
        },
    });
}));
