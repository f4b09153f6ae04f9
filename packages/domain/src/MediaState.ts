/**
 * What is known of one media: written by `media` alone, read by `api` (`GET /v1/media/{id}`) and `realtime` (the reply
 * to a join of `media:{id}`).
 */
import { Schema } from "effect"
import { MediaFailed, MediaPlayable, MediaReady, MediaStage, MediaUploaded } from "./events/media.ts"
import { EventId, MediaId, UserId } from "./Ids.ts"
import { Timestamp } from "./JsonCodecs.ts"

/** One try of one upload, and the object prefix that it writes below. */
export const MediaAttempt = Schema.Struct({
  prefix: Schema.String,
  /** Orders the uploads of one media: the one seen later is the newer. */
  generation: Schema.Int,
  /** Orders the tries of one upload. */
  token: Schema.Int,
})
export type MediaAttempt = typeof MediaAttempt.Type

export const MediaState = Schema.Struct({
  media_id: MediaId,
  user_id: UserId,
  status: Schema.Literals(["processing", "ready", "failed"]),
  stage: MediaStage,
  percent: Schema.Finite,
  /** The newest `media.uploaded` event; `status`, `stage` and `percent` are about it. */
  source_event_id: EventId,
  /** `media.uploaded` events by id, with the generation each got when it was first seen. */
  generations: Schema.Record(Schema.String, Schema.Int),
  /** Attempts whose objects may still be in storage. */
  attempts: Schema.Array(MediaAttempt),
  /** The attempt that is published; `ready` and `rungs` are about it. */
  version: Schema.optionalKey(MediaAttempt),
  renditions: Schema.Array(
    Schema.Struct({ name: Schema.String, width: Schema.Int, height: Schema.Int, bandwidth: Schema.Int }),
  ),
  /** Wall milliseconds by stage. */
  timings: Schema.Record(Schema.String, Schema.Finite),
  ready: Schema.optionalKey(MediaReady),
  /** What was told of the attempt at work, or of the published one, as soon as it could be played. */
  playable: Schema.optionalKey(MediaPlayable),
  /** The prefix of that attempt. */
  playable_prefix: Schema.optionalKey(Schema.String),
  failed: Schema.optionalKey(MediaFailed),
  /** The newest upload, for making it again. */
  upload: Schema.optionalKey(MediaUploaded),
  /** Of the newest upload, where they are known. */
  trace_id: Schema.optionalKey(Schema.String),
  request_id: Schema.optionalKey(Schema.String),
  /** The newest upload was counted against its user's quota: making it again is not counted. */
  charged: Schema.optionalKey(Schema.Boolean),
  /** Set where it was deleted: what is left only keeps late workers from bringing it back. */
  deleted_at: Schema.optionalKey(Timestamp),
  updated_at: Timestamp,
})
export type MediaState = typeof MediaState.Type
