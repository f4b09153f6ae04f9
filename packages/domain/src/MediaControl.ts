/** What an owner or operator may ask the media workers to do; `api` asks, `media` does. Work, not events. */
import { Schema } from "effect"
import { MediaId, UserId } from "./Ids.ts"

/** The kinds of work in the queue of the service `media`. */
export const mediaControlKind = "control"
export const mediaRetryKind = "retry"

export const MediaControl = Schema.Struct({
  /** `cancel` ends the work on the newest upload; `delete` also removes all that there is of the media. */
  action: Schema.Literals(["cancel", "delete"]),
  media_id: MediaId,
})
export type MediaControl = typeof MediaControl.Type

/** Makes a media anew from its newest upload. */
export const MediaRetry = Schema.Struct({ media_id: MediaId, user_id: UserId })
export type MediaRetry = typeof MediaRetry.Type
