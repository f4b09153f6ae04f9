/** Payloads of `media.*`. */
import { Schema } from "effect";
import { MediaId, UserId } from "../Ids.ts";
import { NonNegativeIntFromJson, optionalNullable, Metadata, ObjectPath, PhpObject, Timestamp } from "../JsonCodecs.ts";
import { Failure } from "./failure.ts";
export const MediaUploaded = Schema.Struct({
    media_id: MediaId,
    user_id: UserId,
    file_path: ObjectPath,
    content_type: optionalNullable(Schema.String),
    /** Bytes. */
    file_size: optionalNullable(NonNegativeIntFromJson),
    metadata: optionalNullable(Metadata),
    /** From the response of `POST /v1/uploads`: proves that the media and the file belong to the user. */
    upload_token: optionalNullable(Schema.String.check(Schema.isMaxLength(256))),
});
export const MediaStage = Schema.Literals(["queued", "downloading", "probing", "transcoding", "publishing"]);
export const MediaProgress = Schema.Struct({
    media_id: MediaId,
    user_id: UserId,
    stage: MediaStage,
    /** 0 to 100 over the whole job. */
    percent: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 })),
});
export const PlaybackUrls = Schema.Struct({
    /** The HLS master playlist. */
    hls: Schema.String,
    /** The DASH manifest. */
    dash: optionalNullable(Schema.String),
    /** One file per rendition, if configured: `{"720p": url}`. */
    mp4: PhpObject(Schema.Record(Schema.String, Schema.String)),
});
export const MediaPlayable = Schema.Struct({
    media_id: MediaId,
    user_id: UserId,
    playback_urls: PlaybackUrls,
});
export const MediaReady = Schema.Struct({
    media_id: MediaId,
    user_id: UserId,
    playback_urls: PlaybackUrls,
    thumbnail_urls: Schema.Array(Schema.String),
    /** An image to show before playback. */
    poster_url: optionalNullable(Schema.String),
    /** WebVTT whose cues name regions of sprites. */
    storyboard_url: optionalNullable(Schema.String),
    /** Seconds. */
    duration: Schema.Finite,
    /** Of the largest rendition, in pixels. */
    width: optionalNullable(Schema.Int),
    height: optionalNullable(Schema.Int),
    /** The published renditions, largest first: `["1080p", "720p"]`. */
    resolutions: Schema.Array(Schema.String),
    metadata: Metadata,
});
/** A backend removes a media with everything that was made from it. */
export const MediaDeleteRequested = Schema.Struct({ media_id: MediaId });
/** Nothing of the media is left. */
export const MediaDeleted = Schema.Struct({
    media_id: MediaId,
    user_id: UserId,
    deleted_at: Timestamp,
});
export const MediaFailed = Schema.Struct({
    media_id: MediaId,
    user_id: UserId,
    error: Failure,
    failed_at: Timestamp,
});
