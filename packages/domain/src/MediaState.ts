/**
 * What is known of one media: written by `media` alone, read by `api` (`GET /v1/media/{id}`) and `realtime` (the reply
 * to a join of `media:{id}`).
 */
import { Schema } from "effect"
import { MediaFailed, MediaReady, MediaStage } from "./events/media.ts"
import { EventId, MediaId, UserId } from "./Ids.ts"
import { Timestamp } from "./Wire.ts"

export const MediaState = Schema.Struct({
  media_id: MediaId,
  user_id: UserId,
  status: Schema.Literals(["processing", "ready", "failed"]),
  stage: MediaStage,
  percent: Schema.Finite,
  /** The `media.uploaded` event this state follows from. */
  cause: EventId,
  /** Object prefixes that attempts wrote to; all but `version` may be removed. */
  prefixes: Schema.Array(Schema.String),
  /** The prefix that is published, once ready. */
  version: Schema.optionalKey(Schema.String),
  rungs: Schema.Array(
    Schema.Struct({ name: Schema.String, width: Schema.Int, height: Schema.Int, bandwidth: Schema.Int }),
  ),
  /** Wall milliseconds by stage. */
  timings: Schema.Record(Schema.String, Schema.Finite),
  ready: Schema.optionalKey(MediaReady),
  failed: Schema.optionalKey(MediaFailed),
  updated_at: Timestamp,
})
export type MediaState = typeof MediaState.Type
