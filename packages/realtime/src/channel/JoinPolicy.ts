/**
 * Who may join which topic, asked before a channel's own `join`. A channel adds what only it can know (whose media this
 * is). An installation with rules of its own provides another one:
 *
 * ```ts
 * Layer.succeed(JoinPolicy, all(standard, (identity, topic) => (isBanned(identity) ? unauthorized("banned") : admitted)))
 * ```
 *
 * What members may do once they joined is a matter of each event: guests may send nothing but what a channel marks.
 */
import * as Topic from "./Topic.ts"
import { allowsTopic, type Identity } from "@armoricore/auth/Identity"
import { Context, Effect } from "effect"
import { type ChannelError, unauthorized } from "./ChannelError.ts"

/** Asked for every join; must be quick. */
export type JoinPolicy = (identity: Identity, topic: string) => Effect.Effect<void, ChannelError>

export const allow: Effect.Effect<void, ChannelError> = Effect.void

/** The token's `channels` claim, where it has one. */
export const withinTokenChannels: JoinPolicy = (identity, topic) =>
  allowsTopic(identity, topic) ? allow : Effect.fail(unauthorized("the token's `channels` do not name this topic"))

/** `user:{user_id}` belongs to that user alone: not even an operator reads it. */
export const ownUserTopic: JoinPolicy = (identity, topic) =>
  !topic.startsWith("user:") || topic === Topic.user(identity.userId)
    ? allow
    : Effect.fail(unauthorized("this topic is another user's"))

/** Every one of them must admit. */
export const all =
  (...policies: ReadonlyArray<JoinPolicy>): JoinPolicy =>
  (identity, topic) =>
    Effect.forEach(policies, (policy) => policy(identity, topic), { discard: true })

/** Everybody with a token, guests too, within their claim; users' own topics for them alone. */
export const defaultPolicy: JoinPolicy = all(withinTokenChannels, ownUserTopic)

export const JoinPolicy = Context.Reference<JoinPolicy>("@armoricore/realtime/JoinPolicy", {
  defaultValue: () => defaultPolicy,
})
