/** A media on its way from upload to stream, as operators see it. */
import { Id } from "@armoricore/domain/Wire"
import { Schema } from "effect"

export const JobStatus = Schema.Literals(["processing", "ready", "failed"])
export type JobStatus = typeof JobStatus.Type

export const Job = Schema.Struct({
  media_id: Schema.String,
  user_id: Schema.String,
  status: JobStatus,
  /** `queued`, `downloading`, `probing`, `transcoding`, `publishing`. */
  stage: Schema.String,
  /** 0 to 100 over the whole job. */
  percent: Schema.Finite,
  /** The `media.uploaded` event. */
  event_id: Schema.String,
  /** RFC 3339. */
  updated_at: Schema.String,
  /** Of the events that were heard of it; absent for what was not at work lately. */
  trace_id: Schema.optionalKey(Schema.String),
  request_id: Schema.optionalKey(Schema.String),
  error: Schema.optionalKey(Schema.Struct({ code: Schema.String, message: Schema.String })),
  /** What was uploaded is known still, so that it can be made again. */
  retryable: Schema.Boolean,
  /** Seconds. */
  duration: Schema.optionalKey(Schema.Finite),
  resolutions: Schema.Array(Schema.String),
  thumbnails: Schema.Array(Schema.String),
  playback: Schema.optionalKey(Schema.String),
  /** Milliseconds by stage. */
  timings: Schema.Record(Schema.String, Schema.Finite),
})
export type Job = typeof Job.Type

export const JobFilter = {
  status: Schema.optionalKey(JobStatus),
  /** Part of a media id or user id. */
  query: Schema.optionalKey(Schema.String),
  /** The latest so many; default 100, at most 500. */
  limit: Schema.optionalKey(Schema.Int),
}

export const MediaTarget = { media_id: Id }
