/**
 * The access rules of topics: who may join beyond the {@link JoinPolicy}, and who may send. `TopicRules` chooses the rule of a
 * topic. Without settings every join is allowed at no cost.
 */
import { allowsTopic, hasRole } from "@armoricore/auth/Identity";
import { Context, Effect, Layer, Option } from "effect";
import { ChannelError, unauthorized, unavailable } from "../channel/ChannelError.ts";
import { allow } from "../channel/JoinPolicy.ts";
import { AuthorizeHook } from "./AuthorizeHook.ts";
import { RoomMembers } from "./RoomMembers.ts";
import { policyOf, roomIdOf } from "./TopicRules.ts";
/** A reference, so that channels work without any access rules. */
export const RoomAccess = Context.Reference("@armoricore/realtime/RoomAccess", {
    defaultValue: () => ({ join: () => allow, push: undefined }),
});
const notMember = unauthorized("only members may join this room: its backend adds them");
export const layer = (options = {}) => Layer.effect(RoomAccess, Effect.gen(function* () {
    const members = yield* RoomMembers;
    const hook = yield* AuthorizeHook;
    const policy = policyOf(options);
    const authorizeEvents = new Set(options.authorizeEvents);
    const joinMembers = (request) => {
        const { identity, topic } = request;
        const roomId = roomIdOf(topic);
        if (hasRole(identity, "operator"))
            return allow;
        if (identity.channels !== undefined && allowsTopic(identity, topic))
            return allow;
        if (roomId === undefined)
            return hook.isEnabled ? hook.join(request) : Effect.fail(notMember);
        return members.find(roomId, identity.userId).pipe(Effect.catch((error) => Effect.andThen(Effect.logWarning("the members of a room could not be read; the join was refused", error), Effect.fail(unavailable))), Effect.flatMap(Option.match({
            onNone: () => (hook.isEnabled ? hook.join(request) : Effect.fail(notMember)),
            onSome: (member) => Effect.succeed(grantOf(member)),
        })));
    };
    const join = (request) => {
        switch (policy(request.topic)) {
            case "open":
                return allow;
            case "members":
                return joinMembers(request);
            case "authorize":
                return hook.join(request);
        }
    };
    const push = hook.isEnabled && authorizeEvents.size > 0
        ? (request) => authorizeEvents.has(request.event) && policy(request.topic) !== "open" ? hook.push(request) : Effect.void
        : undefined;
    return { join, push };
}));
/** The grant of a member; the role replaces the roles of the token. */
export const grantOf = ({ role }) => ({
    isByMembership: true,
    ...(role === undefined ? {} : { roles: [role] }),
});
