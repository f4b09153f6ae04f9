/**
 * The media that messages carry. A message is stored with the ids and the status of that moment; readers of the history get
 * the current state, so a video that was still processing arrives ready.
 */
import type { Identity } from "@armoricore/auth/Identity"
import { MediaFailed, MediaPlayable, MediaReady } from "@armoricore/domain/events/media"
import { MediaId } from "@armoricore/domain/Ids"
import type { MediaState } from "@armoricore/domain/MediaState"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { Effect, Option, Schema } from "effect"
import { invalidPayload } from "../channel/ChannelError.ts"
import { MediaTopicPolicy } from "./MediaChannel.ts"

export const Attachment = Schema.Struct({
  media_id: MediaId,
  /** `unknown`: not uploaded yet, deleted, or unreadable at this moment. */
  status: Schema.Literals(["unknown", "processing", "ready", "failed"]),
  /** The payload of `media_playable`, once the first segments can be played. */
  playable: Schema.optionalKey(MediaPlayable),
  /** The payload of `media_ready`. */
  ready: Schema.optionalKey(MediaReady),
  /** The payload of `media_failed`. */
  failed: Schema.optionalKey(MediaFailed),
})
export type Attachment = typeof Attachment.Type

const maxConcurrentReads = 16

export const make = Effect.gen(function* () {
  const states = yield* Collection.make(mediaStates)
  const policy = yield* MediaTopicPolicy

  const stateOf = (mediaId: string): Effect.Effect<Option.Option<MediaState>> =>
    states.get(mediaId).pipe(
      Effect.map(Option.map(({ value }) => value)),
      Effect.map(Option.filter(({ deleted_at }) => deleted_at === undefined)),
      Effect.catch((error) =>
        Effect.as(Effect.logWarning(`cannot read the attachment ${mediaId}: ${error.message}`), Option.none()),
      ),
    )

  return {
    /** The attachments of a new message. Fails if the sender may not share one of them. */
    forMessage: (identity: Identity, mediaIds: ReadonlyArray<string>) =>
      Effect.forEach(mediaIds, (mediaId, index) =>
        Effect.flatMap(stateOf(mediaId), (state) =>
          Option.isSome(state) && !policy.allows(identity, mediaId, state)
            ? Effect.fail(invalidPayload(`attachments.${index}`, "this media belongs to another user"))
            : Effect.succeed({
                media_id: mediaId,
                status: Option.match(state, { onNone: () => "unknown" as const, onSome: ({ status }) => status }),
              }),
        ),
      ),
    /** The states of the attachments of a page, for `view`. */
    statesOf: (mediaIds: Iterable<string>): Effect.Effect<MediaStates> =>
      Effect.map(
        Effect.forEach(
          new Set(mediaIds),
          (mediaId) => Effect.map(stateOf(mediaId), (state) => [mediaId, state] as const),
          { concurrency: maxConcurrentReads },
        ),
        (entries) => new Map(entries),
      ),
    /** An attachment as a reader sees it: the owner of a media shares it by attaching it. */
    view: (states: MediaStates, mediaId: string, reader: Identity, author: string): Attachment => {
      const state = states.get(mediaId) ?? Option.none()
      return toAttachment(
        mediaId,
        Option.filter(state, ({ user_id }) => user_id === author || policy.allows(reader, mediaId, state)),
      )
    },
  }
})

type MediaStates = ReadonlyMap<string, Option.Option<MediaState>>

const toAttachment = (mediaId: string, state: Option.Option<MediaState>): Attachment =>
  Option.match(state, {
    onNone: () => ({ media_id: mediaId, status: "unknown" }),
    onSome: ({ failed, playable, ready, status }) => ({
      media_id: mediaId,
      status,
      ...(playable === undefined ? {} : { playable }),
      ...(ready === undefined ? {} : { ready }),
      ...(failed === undefined ? {} : { failed }),
    }),
  })
