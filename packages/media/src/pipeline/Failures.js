/**
 * The reasons why an upload cannot be processed: a stable code for programs and a sentence for the person who uploaded
 * it. All of them are permanent; a failure that a retry may fix is a `TransientError` and is not in this list.
 */
import { PermanentError } from "@armoricore/domain/Errors";
const messages = {
    unknown_bucket: "The file is in a bucket that uploads may not come from; upload it to one of MEDIA_SOURCE_BUCKETS.",
    source_missing: "The uploaded file does not exist; upload it before you announce it.",
    source_changed: "The uploaded file was replaced while it was being processed; announce the new file.",
    empty_file: "The file is empty; choose another file and upload it again.",
    too_large: "The file is larger than the limit for uploads.",
    unsupported_format: "The file is not in a supported video, audio or image format; upload an MP4, MOV, WebM, MKV, MP3 or JPEG file.",
    unsupported_codec: "The file uses a codec that cannot be decoded here; export it with H.264 video and AAC audio and upload the new file.",
    encrypted: "The file is protected by encryption (DRM); upload a file without copy protection.",
    unsupported_hdr: "The video has only a Dolby Vision picture, whose colours other devices show wrong; export it as HDR10, HLG or SDR.",
    length_mismatch: "The converted stream is not as long as the recording; export the recording as MP4 and upload the new file.",
    corrupt_media: "The file is damaged or incomplete; export it again and upload the new file.",
    no_media: "The file contains neither video nor audio.",
    too_long: "The recording is longer than the limit for uploads.",
    too_many_pixels: "The resolution is higher than the limit for uploads; export it in a smaller resolution.",
    too_small: "The resolution is too small; at least 16 pixels in each direction are needed.",
    too_many_streams: "The file contains more tracks than the limit for uploads; export it with one video and one audio track.",
    no_audio: "Only the sound was asked for, and the file has none; upload a file with sound, or ask for the video.",
    invalid_metadata: "The instructions in metadata are not valid; correct them and announce the file again.",
    invalid_clip: "The part of the recording that was asked for does not exist; correct metadata.clip.",
    invalid_watermark: "The watermark cannot be used; name a PNG file of at most 10 MB in one of MEDIA_SOURCE_BUCKETS.",
    memory_limit_exceeded: "The recording needs more memory than one upload may use; export it in a smaller resolution.",
    quota_exceeded: "You have reached your upload limit for today; try again tomorrow.",
};
/** The codes that `media.failed` can carry for an upload that cannot be processed, with their sentences. */
export const failureMessages = messages;
/** `detail` is appended in parentheses: numbers, or the decoder's message. */
export const failure = (code, detail) => new PermanentError({ code, message: detail === undefined ? messages[code] : `${messages[code]} (${detail})` });
