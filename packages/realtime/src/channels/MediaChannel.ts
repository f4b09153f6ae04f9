/** `media:{media_id}`: what becomes of one upload. The join replies with what is known, then the results follow. */
import { MediaFailed, MediaPlayable, MediaReady, MediaStage } from "@armoricore/domain/events/media"
import { MediaId, UserId } from "@armoricore/domain/Ids"
import type { MediaState } from "@armoricore/domain/MediaState"
import { Timestamp } from "@armoricore/domain/JsonCodecs"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { Effect, Option, Schema } from "effect"
import * as Channel from "../channel/Channel.ts"
import { MediaTopicPolicy } from "./MediaTopicPolicy.ts"
import { unauthorized } from "../channel/ChannelError.ts"
import * as JobEvents from "../pubsub/JobEvents.ts"

/** What a watcher may know of a media's state: not where its objects lie. */
export const MediaView = Schema.Union([
  Schema.Struct({ status: Schema.Literal("unknown") }),
  Schema.Struct({
    status: Schema.Literals(["processing", "ready", "failed"]),
    media_id: MediaId,
    user_id: UserId,
    stage: MediaStage,
    percent: Schema.Finite,
    /** The payload of `media_playable`, once its beginning can be played. */
    playable: Schema.optionalKey(MediaPlayable),
    /** The payload of `media_ready`, once it is. */
    ready: Schema.optionalKey(MediaReady),
    /** The payload of `media_failed`. */
    failed: Schema.optionalKey(MediaFailed),
    updated_at: Timestamp,
  }),
])

export const MediaChannel = Channel.make({
  topic: "media:{media_id}",
  params: { media_id: MediaId },
  join: { payload: Schema.Struct({}), reply: MediaView },
  client: {},
  server: JobEvents.mediaEvents,
})

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

export const layer = MediaChannel.toLayer(
  Effect.gen(function* () {
    const states = yield* Collection.make(mediaStates)
    const policy = yield* MediaTopicPolicy
    return MediaChannel.handlers(
      Effect.fnUntraced(function* (media) {
        const state = Option.map(yield* states.get(media.params.media_id), ({ value }) => value)
        if (!policy.allows(media.identity, state)) {
          return yield* unauthorized("only its owner may watch this media")
        }
        return { reply: Option.match(state, { onNone: () => ({ status: "unknown" as const }), onSome: toView }) }
      }),
      { on: {} },
    )
  }),
)
