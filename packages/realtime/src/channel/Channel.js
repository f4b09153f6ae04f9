import { Effect, Layer, Schema } from "effect";
import { RoomAccess } from "../access/RoomAccess.ts";
import { all as allPolicies, JoinPolicy } from "./JoinPolicy.ts";
import { ChannelRegistry } from "./ChannelRegistry.ts";
import { ChannelError, unavailable } from "./ChannelError.ts";
import { Topics } from "../pubsub/Topics.ts";
import { compile } from "./TopicPattern.ts";
import { decoder, encoder, replyEncoder } from "./PayloadCodecs.ts";
export { Binary } from "./PayloadCodecs.ts";
export const make = (declaration) => makeChannel(declaration);
const makeChannel = (declaration) => {
    const pattern = compile(declaration.topic, declaration.params);
    const outgoing = outgoingEvents(declaration);
    return {
        declaration,
        handlers: (join, events) => ({ join, ...events }),
        toLayer: (build) => Layer.effectDiscard(Effect.gen(function* () {
            const channels = yield* ChannelRegistry;
            const policy = yield* JoinPolicy;
            const access = yield* RoomAccess;
            const handlers = yield* build;
            channels.register(defineChannel(declaration, pattern.match, outgoing, { policy, access }, handlers));
        })),
        broadcast: (params, event, payload) => Effect.gen(function* () {
            const topics = yield* Topics;
            const { encode, droppable } = outgoing(event);
            yield* topics.broadcast(pattern.topic(params), event, yield* encode(payload), { droppable });
        }),
    };
};
const outgoingEvents = (declaration) => {
    const events = new Map(Object.entries(declaration.server).map(([event, { payload, droppable }]) => [
        event,
        { encode: encoder(payload), droppable: droppable === true },
    ]));
    return (event) => events.get(event) ?? {
        encode: () => Effect.die(new Error(`${declaration.topic} declares no server event ${event}`)),
        droppable: false,
    };
};
/** The client learns only that it may try again; the log has the cause. */
const toReplyError = (effect) => Effect.catch(effect, (error) => error instanceof ChannelError
    ? Effect.fail(error)
    : Effect.andThen(Effect.logWarning("a port failed in a channel handler; the client received `unavailable`", error), Effect.fail(unavailable)));
const typedMembership = (member, outgoing) => {
    const push = (event, payload) => {
        const { encode, droppable } = outgoing(event);
        return Effect.map(encode(payload), (encoded) => member.send(event, encoded, droppable));
    };
    const broadcast = (event, payload, options) => {
        const { encode, droppable } = outgoing(event);
        return Effect.flatMap(encode(payload), (encoded) => member.broadcast(event, encoded, {
            droppable,
            ...(options?.excludeSelf === true ? { except: member } : {}),
            ...(options?.seq === undefined ? {} : { seq: options.seq }),
        }));
    };
    // The cast is sound: `params` was decoded with the Schemas of this declaration, and `state` is the value that the `join`
    // of this channel returned. TypeScript cannot follow either through the registry, which holds channels of all types.
    return {
        topic: member.topic,
        params: member.params,
        get identity() {
            return member.identity;
        },
        socketId: member.socketId,
        state: member.state,
        awaitCapacity: member.awaitCapacity,
        push,
        broadcast,
        omitReply: () => member.omitReply(),
        listen: (subtopic) => Effect.acquireRelease(Effect.sync(() => member.listen(subtopic)), () => Effect.sync(() => member.unlisten(subtopic))),
    };
};
/** An entry that is no message of the channel is a bug in the channel. */
const messageEncoder = ({ fromEntry, message }) => {
    const decode = Schema.decodeUnknownEffect(message);
    const encode = encoder(message);
    return (entry) => Effect.flatMap(Effect.orDie(decode(fromEntry(entry))), encode);
};
const defineChannel = (declaration, match, outgoing, { access, policy }, handlers) => {
    const decodeJoin = decoder(declaration.join.payload);
    const encodeJoin = replyEncoder(declaration.join.reply);
    const { accepts, leave } = handlers;
    const authorize = allPolicies(policy, access.join);
    const { push: authorizePush } = access;
    const join = (member, payload) => Effect.gen(function* () {
        member.setGrant(yield* authorize({ identity: member.identity, topic: member.topic, params: payload }));
        // The cast is sound: `decodeJoin` was made from the declaration.
        const decoded = (yield* decodeJoin(payload));
        const { reply, upToSeq, ...state } = yield* toReplyError(handlers.join(typedMembership(member, outgoing), decoded));
        return { reply: yield* encodeJoin(reply), state: stateOrShared(state), upToSeq };
    });
    const events = new Map();
    for (const [event, spec] of Object.entries(declaration.client)) {
        const handle = handlers.on[event];
        if (handle === undefined)
            continue;
        const decode = decoder(spec.payload);
        const encode = spec.reply === undefined ? () => Effect.succeed({}) : encoder(spec.reply);
        events.set(event, {
            allowGuests: spec.allowGuests === true,
            allowBackends: spec.allowBackends === true,
            handle: (member, payload) => Effect.flatMap(decode(payload), (decoded) => Effect.flatMap(toReplyError(handle(typedMembership(member, outgoing), decoded)), encode)),
        });
    }
    return {
        pattern: declaration.topic,
        match: accepts === undefined ? match : (topic) => (accepts(topic) ? match(topic) : undefined),
        liveEvent: declaration.liveEvent,
        authorizePush: authorizePush === undefined
            ? undefined
            : (member, event, params) => authorizePush({ identity: member.identity, topic: member.topic, event, params }),
        toMessage: declaration.history === undefined ? undefined : messageEncoder(declaration.history),
        hasPresence: declaration.server["presence_state"] !== undefined,
        join,
        events,
        leave: leave === undefined ? undefined : (member) => leave(typedMembership(member, outgoing)),
    };
};
const emptyState = Object.freeze({});
/** Most memberships have no state; they share one object. */
const stateOrShared = (state) => (Object.keys(state).length === 0 ? emptyState : state);
