/**
 * `media:{media_id}`: the progress and the results of one upload. The join replies with the current state, and events
 * follow. `MEDIA_TOPIC_POLICY` decides who may watch.
 */
import { hasRole, type Identity } from "@armoricore/auth/Identity"
import { MediaFailed, MediaPlayable, MediaReady, MediaStage } from "@armoricore/domain/events/media"
import { MediaId, UserId } from "@armoricore/domain/Ids"
import type { MediaState } from "@armoricore/domain/MediaState"
import { Timestamp } from "@armoricore/domain/JsonCodecs"
import * as UploadToken from "@armoricore/domain/UploadToken"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { UploadTokens } from "@armoricore/worker/PublishPolicy"
import { Context, Effect, Layer, Option, Schema } from "effect"
import * as Channel from "../channel/Channel.ts"
import { unauthorized } from "../channel/ChannelError.ts"
import * as JobEvents from "../pubsub/JobEvents.ts"

/** The part of the media state that watchers may read; the locations of its objects are not in it. */
export const MediaView = Schema.Union([
  Schema.Struct({ status: Schema.Literal("unknown") }),
  Schema.Struct({
    status: Schema.Literals(["processing", "ready", "failed"]),
    media_id: MediaId,
    user_id: UserId,
    stage: MediaStage,
    percent: Schema.Finite,
    /** The payload of `media_playable`, once the first segments can be played. */
    playable: Schema.optionalKey(MediaPlayable),
    /** The payload of `media_ready`, once processing succeeded. */
    ready: Schema.optionalKey(MediaReady),
    /** The payload of `media_failed`, once processing failed. */
    failed: Schema.optionalKey(MediaFailed),
    updated_at: Timestamp,
  }),
])

export const channel = Channel.make({
  topic: "media:{media_id}",
  params: { media_id: MediaId },
  join: { payload: Schema.Struct({}), reply: MediaView },
  client: {},
  server: JobEvents.mediaEvents,
  buckets: { reads: [mediaStates.bucket] },
})

export class MediaTopicPolicy extends Context.Service<
  MediaTopicPolicy,
  {
    /** `state` is none until the upload was announced. */
    readonly allows: (identity: Identity, mediaId: string, state: Option.Option<MediaState>) => boolean
  }
>()("@armoricore/realtime/MediaTopicPolicy") {
  /** Any authenticated user. */
  static readonly layerPublic = Layer.succeed(MediaTopicPolicy, { allows: () => true })

  /**
   * The owner and operators. Before the upload is announced, the owner is known by an id of `POST /v1/uploads`. With an id
   * that a backend made, clients retry the join, and the owner receives every event on `user:{id}` from the start.
   */
  static readonly layerOwner = Layer.effect(
    MediaTopicPolicy,
    Effect.map(UploadTokens, (tokens) => ({
      allows: (identity, mediaId, state) =>
        hasRole(identity, "operator") ||
        (Option.isSome(state)
          ? state.value.user_id === identity.userId
          : tokens !== undefined && UploadToken.isMediaIdOf(tokens.key, identity.userId, mediaId)),
    })),
  )
}

const toView = (state: MediaState): typeof MediaView.Type => ({
  status: state.status,
  media_id: state.media_id,
  user_id: state.user_id,
  stage: state.stage,
  percent: state.percent,
  ...(state.playable === undefined ? {} : { playable: state.playable }),
  ...(state.ready === undefined ? {} : { ready: state.ready }),
  ...(state.failed === undefined ? {} : { failed: state.failed }),
  updated_at: state.updated_at,
})

export const layer = channel.toLayer(
  Effect.gen(function* () {
    const states = yield* Collection.make(mediaStates)
    const policy = yield* MediaTopicPolicy
    return channel.handlers(
      Effect.fnUntraced(function* (media) {
        const state = Option.map(yield* states.get(media.params.media_id), ({ value }) => value)
        if (!policy.allows(media.identity, media.params.media_id, state)) {
          return yield* unauthorized("only the owner may watch this media")
        }
        const current = Option.filter(state, ({ deleted_at }) => deleted_at === undefined)
        return { reply: Option.match(current, { onNone: () => ({ status: "unknown" as const }), onSome: toView }) }
      }),
      { on: {} },
    )
  }),
)
