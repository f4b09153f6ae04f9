/**
 * The rule that decides who may join which topic. It runs before the channel's own `join`, which checks what only the
 * channel knows (for example the owner of a media). An installation replaces the default with a layer:
 *
 * ```ts
 * const notBanned: JoinPolicy = (identity) => (isBanned(identity) ? Effect.fail(unauthorized("banned")) : allow)
 * Layer.succeed(JoinPolicy, all(defaultPolicy, notBanned))
 * ```
 *
 * The policy covers joins only. After the join, the role `guest` may send the events that the channel marks with
 * `allowGuests`.
 */
import * as Topic from "./Topic.ts"
import { allowsTopic, type Identity } from "@armoricore/auth/Identity"
import { Context, Effect } from "effect"
import { type ChannelError, unauthorized } from "./ChannelError.ts"

/** Runs for every join, so it must be fast. */
export type JoinPolicy = (identity: Identity, topic: string) => Effect.Effect<void, ChannelError>

export const allow: Effect.Effect<void, ChannelError> = Effect.void

/** Limits a token with a `channels` claim to the topics of that claim. */
export const withinTokenChannels: JoinPolicy = (identity, topic) =>
  allowsTopic(identity, topic)
    ? allow
    : Effect.fail(unauthorized("the `channels` claim of the token does not include this topic"))

/** Only the user of `user:{user_id}` and `inbox:{user_id}` may join them; the role `operator` does not help. */
export const ownUserTopic: JoinPolicy = (identity, topic) =>
  (!topic.startsWith("user:") && !topic.startsWith("inbox:")) ||
  topic === Topic.user(identity.userId) ||
  topic === Topic.inbox(identity.userId)
    ? allow
    : Effect.fail(unauthorized("this topic belongs to another user"))

/** Allows a join if all policies allow it. */
export const all =
  (...policies: ReadonlyArray<JoinPolicy>): JoinPolicy =>
  (identity, topic) =>
    Effect.forEach(policies, (policy) => policy(identity, topic), { discard: true })

/** Allows every valid token, also of guests, within its `channels` claim; `user:{user_id}` and `inbox:{user_id}` only for that user. */
export const defaultPolicy: JoinPolicy = all(withinTokenChannels, ownUserTopic)

export const JoinPolicy = Context.Reference<JoinPolicy>("@armoricore/realtime/JoinPolicy", {
  defaultValue: () => defaultPolicy,
})
