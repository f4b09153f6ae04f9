/** A media with everything that belongs to it, and a user with everything that the installation knows. */
import { Schema } from "effect"
import { Job } from "./Job.ts"
import { NotificationInfo, UserReach, WorkflowRunInfo } from "./Notification.ts"
import { OpenSocket } from "./Room.ts"

/** An event that was delivered to the sockets of its user, or waits in the user's history. */
export const UserEvent = Schema.Struct({
  seq: Schema.Finite,
  event_id: Schema.String,
  /** As on the socket: `media_ready`, `notification_sent`, … */
  event: Schema.String,
  media_id: Schema.optionalKey(Schema.String),
  notification_id: Schema.optionalKey(Schema.String),
  trace_id: Schema.optionalKey(Schema.String),
  payload: Schema.Json,
})
export type UserEvent = typeof UserEvent.Type

export const Captions = Schema.Struct({
  /** BCP 47. */
  language: Schema.String,
  vtt: Schema.String,
  srt: Schema.String,
  engine: Schema.String,
  quality: Schema.String,
  word_count: Schema.Finite,
})
export type Captions = typeof Captions.Type

export const MediaDetail = Schema.Struct({
  media_id: Schema.String,
  user_id: Schema.String,
  /** The media job, and the captions job if captions were requested. */
  jobs: Schema.Array(Job),
  renditions: Schema.Array(
    Schema.Struct({ name: Schema.String, width: Schema.Finite, height: Schema.Finite, bandwidth: Schema.Finite }),
  ),
  poster: Schema.optionalKey(Schema.String),
  captions: Schema.Array(Captions),
  /** Events about it among the newest 200 that its user was sent, newest first. */
  deliveries: Schema.Array(UserEvent),
})
export type MediaDetail = typeof MediaDetail.Type

export const UserDetail = Schema.Struct({
  user_id: Schema.String,
  sockets: Schema.Array(OpenSocket),
  /** Nodes that did not respond in time: their sockets are missing. */
  unresponsive: Schema.Array(Schema.String),
  /** Newest first, at most 50. */
  jobs: Schema.Array(Job),
  /** The notifications among the user's newest 200 events, newest first, at most 20. */
  notifications: Schema.Array(NotificationInfo),
  reach: UserReach,
  /** Newest first, at most 20. */
  runs: Schema.Array(WorkflowRunInfo),
  /** Newest first, at most 50. */
  events: Schema.Array(UserEvent),
})
export type UserDetail = typeof UserDetail.Type
