/** The failures of transcriptions: a stable code for programs and one sentence for the user. */
import { PermanentError } from "@armoricore/domain/Errors";
/** Every code of `transcription.failed`, except those of the engines. */
export const failureMessages = {
    unknown_bucket: "The file is in a bucket that is not allowed for recordings; upload it to one of MEDIA_SOURCE_BUCKETS.",
    source_missing: "The recording does not exist; upload it before you request its transcript.",
    empty_file: "The file is empty; choose another and upload it again.",
    too_large: "The file exceeds the maximal size of recordings.",
    unsupported_format: "The file has no readable video or audio format; upload an MP4, MOV, WebM, MKV or MP3.",
    corrupt_media: "The audio is damaged or truncated; export the file again and upload the new one.",
    no_audio_decoder: "ffmpeg has no decoder for the audio of the file; export it with AAC audio and upload the new one.",
    too_long: "The recording exceeds the maximal duration of transcripts.",
    invalid_language: "The language is not a BCP 47 tag such as en or pt-BR; omit it to have the language detected.",
    speech_engine_not_configured: "No speech engine is configured; set SPEECH_ENGINE, or install pocketsphinx with its English model for drafts.",
};
export const failure = (code, detail) => new PermanentError({
    code,
    message: detail === undefined ? failureMessages[code] : `${failureMessages[code]} (${detail})`,
});
