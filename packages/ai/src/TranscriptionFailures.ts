/** Why a recording cannot be transcribed: a stable code for programs and one sentence for the person who asked. */
import { PermanentError } from "@armoricore/domain/Errors"

const messages = {
  unknown_bucket:
    "The file lies in a bucket that recordings may not come from; upload it to one of MEDIA_SOURCE_BUCKETS.",
  source_missing: "The recording is not there; upload it before asking for its transcript.",
  empty_file: "The file is empty; choose another and upload it again.",
  too_large: "The file is larger than recordings may be.",
  unsupported_format: "The file is not a video or sound format that can be read; upload an MP4, MOV, WebM, MKV or MP3.",
  corrupt_media: "The sound is damaged or cut off; export the file again and upload the new one.",
  too_long: "The recording is longer than transcripts may be.",
  invalid_language: "The language is not a BCP 47 tag such as en or pt-BR; leave it out to have it recognised.",
  speech_engine_not_configured:
    "No speech engine is configured; set SPEECH_ENGINE, or install pocketsphinx with its English model for drafts.",
} as const

export type FailureCode = keyof typeof messages

/** Every code that `transcription.failed` can carry besides the engines' own, with its sentence. */
export const failureMessages: Readonly<Record<FailureCode, string>> = messages

/** `detail` is put behind the sentence. */
export const failure = (code: FailureCode, detail?: string): PermanentError =>
  new PermanentError({ code, message: detail === undefined ? messages[code] : `${messages[code]} (${detail})` })
