/** Commands of owners and operators to the media workers, sent as internal work. */
import { Schema } from "effect"
import { UploadedCaptions } from "./CaptionTrack.ts"
import { MediaUploaded } from "./events/media.ts"
import { MediaId, UserId } from "./Ids.ts"
import { Timestamp } from "./JsonCodecs.ts"

/** Kinds of internal work of the service `media`; they are part of queue names. */
export const mediaCommandKind = "control"
export const mediaRetryKind = "retry"
/** Transcodes an upload that would block the queue of short ones. */
export const longTranscodeKind = "long-transcode"
/** Encodes one chunk of a long video, and concatenates all chunks. */
export const mediaChunkKind = "chunk"
export const mediaConcatKind = "concat"

export const MediaCommand = Schema.Struct({
  /**
   * `cancel` ends the work on the newest upload; `delete` also removes the media and its objects; `set_captions` and
   * `remove_captions` change the uploaded captions of one language and kind.
   */
  action: Schema.Literals(["cancel", "delete", "set_captions", "remove_captions"]),
  media_id: MediaId,
  /** Of `delete`: the owner, where the media may have no state yet. */
  user_id: Schema.optionalKey(UserId),
  /** When the request was received. A queued upload or transcription that is older is dropped after a deletion. */
  requested_at: Schema.optionalKey(Timestamp),
  /** Of `set_captions`. */
  captions: Schema.optionalKey(UploadedCaptions),
  /** Of `remove_captions`: a `captionsKey`. */
  captions_key: Schema.optionalKey(Schema.String),
})
export type MediaCommand = typeof MediaCommand.Type

/** Transcodes the newest upload of a media again. */
export const MediaRetryRequest = Schema.Struct({ media_id: MediaId, user_id: UserId })
export type MediaRetryRequest = typeof MediaRetryRequest.Type

/** The payload of `media.uploaded`; the work is caused by that event or by a retry. */
export const LongTranscodeRequest = Schema.Struct({ upload: MediaUploaded })
export type LongTranscodeRequest = typeof LongTranscodeRequest.Type
