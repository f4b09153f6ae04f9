/**
 * Why an upload cannot become a stream: a stable code for programs and one sentence for the person who uploaded it.
 * All of these are permanent; what is worth another try is a `TransientError` and not in this list.
 */
import { PermanentError } from "@armoricore/domain/Errors"

const messages = {
  unknown_bucket: "The file lies in a bucket that uploads may not come from; upload it to one of MEDIA_SOURCE_BUCKETS.",
  source_missing: "The uploaded file is not there; upload it again before announcing it.",
  source_changed: "The uploaded file was replaced while it was worked on; announce the new one.",
  empty_file: "The file is empty; choose another and upload it again.",
  too_large: "The file is larger than uploads may be.",
  unsupported_format:
    "The file is not a video, sound or picture format that can be read; upload an MP4, MOV, WebM, MKV, MP3 or JPEG file.",
  corrupt_media: "The file is damaged or cut off; export it again and upload the new file.",
  no_media: "The file holds neither picture nor sound.",
  too_long: "The recording is longer than uploads may be.",
  too_many_pixels: "The picture is larger than uploads may be; export it in a smaller resolution.",
  too_small: "The picture is too small to be shown; it needs at least 16 pixels in each direction.",
  too_many_streams: "The file holds more tracks than uploads may have; export it with one picture and one sound track.",
  memory_limit_exceeded: "The recording needs more memory than one upload may use; export it in a smaller resolution.",
  quota_exceeded: "You have uploaded as much as you may for now; try again tomorrow.",
} as const

export type FailureCode = keyof typeof messages

/** Every code that `media.failed` can carry for an upload that cannot be processed, with its sentence. */
export const failureMessages: Readonly<Record<FailureCode, string>> = messages

/** `detail` is put behind the sentence: figures, or what the decoder said. */
export const failure = (code: FailureCode, detail?: string): PermanentError =>
  new PermanentError({ code, message: detail === undefined ? messages[code] : `${messages[code]} (${detail})` })
