/** What an owner or operator may ask the media workers to do; `api` asks, `media` does. Work, not events. */
import { Schema } from "effect"
import { MediaUploaded } from "./events/media.ts"
import { MediaId, UserId } from "./Ids.ts"

/** The kinds of work in the queue of the service `media`. */
export const mediaCommandKind = "control"
export const mediaRetryKind = "retry"
/** An upload that is too long to be made among short ones. */
export const longTranscodeKind = "film"
/** A part of a long film, and the joining of all of them: the media workers ask each other. */
export const mediaChunkKind = "chunk"
export const mediaConcatKind = "join"

export const MediaCommand = Schema.Struct({
  /** `cancel` ends the work on the newest upload; `delete` also removes all that there is of the media. */
  action: Schema.Literals(["cancel", "delete"]),
  media_id: MediaId,
})
export type MediaCommand = typeof MediaCommand.Type

/** Makes a media anew from its newest upload. */
export const MediaRetryRequest = Schema.Struct({ media_id: MediaId, user_id: UserId })
export type MediaRetryRequest = typeof MediaRetryRequest.Type

/** What `media.uploaded` said; the work's cause is that event, or the retry of one. */
export const LongTranscodeRequest = Schema.Struct({ upload: MediaUploaded })
export type LongTranscodeRequest = typeof LongTranscodeRequest.Type
