/** Who may watch `media:{id}` (`MEDIA_TOPIC_POLICY`). */
import { hasRole, type Identity } from "@armoricore/auth/Identity"
import type { MediaState } from "@armoricore/domain/MediaState"
import { Context, Layer, Option } from "effect"

export class MediaTopicPolicy extends Context.Service<
  MediaTopicPolicy,
  {
    readonly allows: (identity: Identity, state: Option.Option<MediaState>) => boolean
  }
>()("@armoricore/realtime/MediaTopicPolicy") {
  /** Any authenticated user. */
  static readonly layerPublic = Layer.succeed(MediaTopicPolicy, { allows: () => true })

  /**
   * The owner and operators. Before the upload is known nobody can say whose it is, so only operators get in; clients
   * join again by themselves until it is, and the owner hears everything on `user:{id}` from the start.
   */
  static readonly layerOwner = Layer.succeed(MediaTopicPolicy, {
    allows: (identity, state) =>
      hasRole(identity, "operator") || (Option.isSome(state) && state.value.user_id === identity.userId),
  })
}
