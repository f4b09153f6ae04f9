/**
 * The rule that decides who may join which topic. It runs before the channel's own `join`, which checks what only the
 * channel knows (for example the owner of a media). An installation replaces the default with a layer:
 *
 * ```ts
 * const notBanned: JoinPolicy = ({ identity }) => (isBanned(identity) ? Effect.fail(unauthorized("banned")) : allow)
 * Layer.succeed(JoinPolicy, all(defaultPolicy, notBanned))
 * ```
 *
 * The access rules of rooms (`access/RoomAccess.ts`: members, `AUTHORIZE_URL`) run after it.
 *
 * The policy covers joins only. After the join, the role `guest` may send the events that the channel marks with
 * `allowGuests`.
 */
import { allowsTopic } from "@armoricore/auth/Identity";
import { usersOfDirectTopic } from "@armoricore/domain/DirectTopic";
import { Context, Effect } from "effect";
import { unauthorized } from "./ChannelError.ts";
import * as Topic from "./Topic.ts";
const noConditions = {};
export const allow = Effect.succeed(noConditions);
/** Limits a token with a `channels` claim to the topics of that claim. */
export const withinTokenChannels = ({ identity, topic }) => allowsTopic(identity, topic)
    ? allow
    : Effect.fail(unauthorized("the `channels` claim of the token does not include this topic"));
/** Only the user of `user:{user_id}` and `inbox:{user_id}` may join them; the role `operator` does not help. */
export const ownUserTopic = ({ identity, topic }) => (!topic.startsWith("user:") && !topic.startsWith("inbox:")) ||
    topic === Topic.user(identity.userId) ||
    topic === Topic.inbox(identity.userId)
    ? allow
    : Effect.fail(unauthorized("this topic belongs to another user"));
/** Only the two users of `dm:{a}:{b}` may join it; the role `operator` does not help. */
export const ownDirectTopic = ({ identity, topic }) => !topic.startsWith("dm:") || usersOfDirectTopic(topic)?.includes(identity.userId) === true
    ? allow
    : Effect.fail(unauthorized("these direct messages belong to other users"));
/** Allows a join if all policies allow it. The last roles count. */
export const all = (...policies) => (request) => Effect.reduce(policies, () => noConditions, (grant, policy) => Effect.map(policy(request), (next) => (next === noConditions ? grant : { ...grant, ...next })));
/**
 * Allows every valid token, also of guests, within its `channels` claim; `user:{user_id}` and `inbox:{user_id}`
 * only for that user, and `dm:{a}:{b}` only for the two.
 */
export const defaultPolicy = all(withinTokenChannels, ownUserTopic, ownDirectTopic);
export const JoinPolicy = Context.Reference("@armoricore/realtime/JoinPolicy", {
    defaultValue: () => defaultPolicy,
});
