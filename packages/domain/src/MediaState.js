/**
 * The state of one media. Only `media` writes it; `api` (`GET /v1/media/{id}`) and `realtime` (the reply to a join of
 * `media:{id}`) read it.
 */
import { Schema } from "effect";
import { UploadedCaptions } from "./CaptionTrack.ts";
import { MediaFailed, MediaPlayable, MediaReady, MediaStage, MediaUploaded } from "./events/media.ts";
import { EventId, MediaId, UserId } from "./Ids.ts";
import { Timestamp } from "./JsonCodecs.ts";
/** One attempt at an upload, and the object prefix that it writes to. */
export const MediaAttempt = Schema.Struct({
    prefix: Schema.String,
    /** Orders the uploads of one media by when they were first received. */
    generation: Schema.Int,
    /** Orders the attempts at one upload. */
    token: Schema.Int,
});
export const MediaState = Schema.Struct({
    media_id: MediaId,
    user_id: UserId,
    status: Schema.Literals(["processing", "ready", "failed"]),
    stage: MediaStage,
    percent: Schema.Finite,
    /** The newest `media.uploaded` event; `status`, `stage` and `percent` are about it. */
    source_event_id: EventId,
    /** `media.uploaded` events by id, with their generation. */
    generations: Schema.Record(Schema.String, Schema.Int),
    /** Attempts whose objects may still be in storage. */
    attempts: Schema.Array(MediaAttempt),
    /** The published attempt, which `ready` and `renditions` describe. */
    version: Schema.optionalKey(MediaAttempt),
    renditions: Schema.Array(Schema.Struct({ name: Schema.String, width: Schema.Int, height: Schema.Int, bandwidth: Schema.Int })),
    /** Wall-clock milliseconds by stage. */
    timings: Schema.Record(Schema.String, Schema.Finite),
    ready: Schema.optionalKey(MediaReady),
    /** The `media.playable` payload of the running or published attempt. */
    playable: Schema.optionalKey(MediaPlayable),
    /** The prefix of the attempt in `playable`. */
    playable_prefix: Schema.optionalKey(Schema.String),
    /** As `playable_prefix`, once the bus has stored `media.playable`. */
    playable_published_prefix: Schema.optionalKey(Schema.String),
    failed: Schema.optionalKey(MediaFailed),
    /** Captions that were uploaded, by `captionsKey`. They outlive a new version of the stream. */
    captions: Schema.optionalKey(Schema.Record(Schema.String, UploadedCaptions)),
    /** The newest upload, for a retry. */
    upload: Schema.optionalKey(MediaUploaded),
    /** Trace and request of the newest upload, if known. */
    trace_id: Schema.optionalKey(Schema.String),
    request_id: Schema.optionalKey(Schema.String),
    /** The newest upload was charged to the user's quota, so a retry is free. */
    charged: Schema.optionalKey(Schema.Boolean),
    /** Set on deletion. The document stays as a tombstone, so that a late worker cannot restore the media. */
    deleted_at: Schema.optionalKey(Timestamp),
    updated_at: Timestamp,
});
/**
 * The newest request to delete a media. It makes the deletion resumable, and tells workers that find a request in their
 * queue later that its media was deleted meanwhile.
 */
export const MediaDeletion = Schema.Struct({
    media_id: MediaId,
    /** The event or command. */
    request_id: Schema.String,
    /** Requests of this time or earlier are deleted with the media. */
    requested_at: Timestamp,
    /** The owner, if anything of the media was known. */
    user_id: Schema.optionalKey(UserId),
    /** The newest generation of uploads when the media was marked as deleted; a later upload is a new life of it. */
    generation: Schema.optionalKey(Schema.Int),
    /** Set when nothing of the media is left. */
    deleted_at: Schema.optionalKey(Timestamp),
});
/** Whether an event is older than the deletion of its media. */
export const precedesDeletion = (timestamp, deletion) => deletion !== undefined && Date.parse(timestamp) <= Date.parse(deletion.requested_at);
