/**
 * Turns one recording into captions: sound → pieces cut at pauses → engines, several at once → stitched words → cues →
 * files.
 *
 * - Every piece's answer is kept (`KeptPieces`), so a try that died goes on where it was.
 * - Files are written below a prefix with the claim's token, so that no late worker overwrites what its successor
 *   published; what earlier tries of the same request wrote is removed.
 * - Memory does not grow with the length of the sound: samples stay on the disk.
 */
import { derivedId } from "@armoricore/domain/Causation"
import type { ConfigurationError, PermanentError } from "@armoricore/domain/Errors"
import { TransientError } from "@armoricore/domain/Errors"
import type { EventOf, PayloadOf } from "@armoricore/domain/Events"
import { Transcript } from "@armoricore/domain/Transcript"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { WorkFolder } from "@armoricore/ffmpeg/WorkFolder"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/Playback"
import { Clock, Context, Effect, FileSystem, Layer, Path, Schema, Stream } from "effect"
import { ChildProcessSpawner } from "effect/process"
import * as Cues from "./captions/Cues.ts"
import * as Lint from "./captions/Lint.ts"
import * as PlainText from "./captions/PlainText.ts"
import * as SubRip from "./captions/SubRip.ts"
import * as WebVtt from "./captions/WebVtt.ts"
import { failure } from "./Failures.ts"
import { canonical, undetermined } from "./Language.ts"
import * as Listening from "./Listening.ts"
import { sampleRate } from "./Pcm.ts"
import * as SoundTrack from "./SoundTrack.ts"
import { SpeechEngines } from "./SpeechEngines.ts"
import * as TranscriptRecord from "./TranscriptRecord.ts"

export interface Options {
  /** Where transcripts are written: `OBJECT_STORAGE_BUCKET`. */
  readonly bucket: string
  /** Where recordings may lie: `MEDIA_SOURCE_BUCKETS`. */
  readonly sourceBuckets: ReadonlyArray<string>
  /** Bytes of the file. Default 50 GB. */
  readonly bytes?: number
  /** Length of the recording. Default 12 h. */
  readonly seconds?: number
}

export class Transcribe extends Context.Service<
  Transcribe,
  {
    /** `token` is the claim's; it grows with each owner of the event. `onProgress` is called a few times a minute. */
    readonly transcribe: (
      event: EventOf<"transcription.requested">,
      claim: { readonly token: number },
      onProgress?: (percent: number) => Effect.Effect<void>,
    ) => Effect.Effect<PayloadOf<"transcription.complete">, TransientError | PermanentError | ConfigurationError>
    /** What the newest request of a media asked for. */
    readonly newest: (
      mediaId: string,
    ) => Effect.Effect<PayloadOf<"transcription.requested"> | undefined, TransientError | ConfigurationError>
    /** Notes a final failure, as it was told. */
    readonly giveUp: (
      failed: EventOf<"transcription.failed">,
    ) => Effect.Effect<void, TransientError | ConfigurationError>
  }
>()("@armoricore/ai/Transcribe") {
  static readonly layer = (options: Options) => Layer.effect(Transcribe, make(options))
}

const make = Effect.fnUntraced(function* (options: Options) {
  const storage = yield* ObjectStorage
  const playback = yield* PlaybackUrls
  const engines = yield* SpeechEngines
  const work = yield* WorkFolder
  const record = yield* TranscriptRecord.make
  const own = yield* Effect.context<
    FileSystem.FileSystem | Path.Path | ObjectStorage | FfmpegPrograms | ChildProcessSpawner.ChildProcessSpawner
  >()

  const put = Effect.fnUntraced(function* (key: string, text: string, contentType: string) {
    const ref = { bucket: options.bucket, key }
    const body = new TextEncoder().encode(text)
    // A second request of the same media has another prefix, so these never change.
    yield* storage.put<never, never>(ref, body, { contentType, cacheControl: "public, max-age=31536000, immutable" })
    return ref
  })

  const transcribe = Effect.fn("Transcribe.transcribe")(
    function* (
      event: EventOf<"transcription.requested">,
      claim: { readonly token: number },
      onProgress: (percent: number) => Effect.Effect<void> = () => Effect.void,
    ) {
      const { payload } = event
      const asked = canonical(payload.language)
      if (payload.language !== undefined && asked === undefined) return yield* failure("invalid_language")
      const transcriptionId = derivedId("transcription", event.event_id)
      yield* record.begin(event)
      let recorded = 0
      const tell = (percent: number) =>
        Effect.gen(function* () {
          yield* onProgress(percent)
          if (percent - recorded < 5) return
          recorded = percent
          yield* record.progress(event, Math.floor(percent))
        }).pipe(
          // What a callback reports must not end the job.
          Effect.catch((error) => Effect.logDebug("progress was not recorded", { error })),
        )

      const samples = yield* SoundTrack.extract({
        filePath: payload.source_file_path,
        buckets: options.sourceBuckets,
        folder: yield* work.make,
        bytes: options.bytes ?? 50e9,
        seconds: options.seconds ?? 12 * 3600,
        onProgress: () => Effect.void,
      })
      yield* tell(10)
      const heard =
        samples === undefined
          ? { ...Listening.nothing, quality: "no_audio" }
          : yield* Listening.listen(engines, {
              samples,
              bucket: options.bucket,
              language: asked,
              folder: yield* work.make,
              onProgress: (part) => tell(10 + part * 85),
            })

      const language = asked ?? heard.language ?? undetermined
      const cues = Cues.cuesOf(heard.words, language)
      const document: Transcript = {
        version: 1,
        transcription_id: transcriptionId,
        media_id: payload.media_id,
        language,
        engine: heard.engine,
        quality: heard.quality,
        duration: Math.round((heard.samples / sampleRate) * 1000) / 1000,
        words: heard.words,
        cues,
        faults: Lint.lint(cues),
        notes: heard.notes,
      }
      const folder = `transcripts/${payload.media_id}/${transcriptionId}/`
      const prefix = `${folder}${claim.token}/`
      // The document was made by this Schema's own type.
      const json = yield* Effect.orDie(encode(document))
      const written = yield* put(`${prefix}transcript.json`, json, "application/json")
      yield* put(`${prefix}transcript.txt`, PlainText.render(heard.words), PlainText.contentType)
      const vtt = yield* put(`${prefix}captions.vtt`, WebVtt.render(cues), WebVtt.contentType)
      const srt = yield* put(`${prefix}captions.srt`, SubRip.render(cues), SubRip.contentType)
      const complete: PayloadOf<"transcription.complete"> = {
        media_id: payload.media_id,
        user_id: payload.user_id,
        transcription_id: transcriptionId,
        transcript_file_path: `s3://${written.bucket}/${written.key}`,
        language,
        completed_at: new Date(yield* Clock.currentTimeMillis).toISOString(),
        caption_urls: { vtt: yield* playback.urlFor(vtt), srt: yield* playback.urlFor(srt) },
        quality: heard.quality,
        engine: heard.engine,
        word_count: heard.words.length,
      }
      yield* record.complete(event, complete)
      yield* removeOthers(folder, prefix)
      yield* onProgress(100)
      return complete
    },
    Effect.scoped,
    Effect.provide(own),
  )

  /** What earlier tries of the same request left. */
  const removeOthers = (folder: string, prefix: string) =>
    storage.list(options.bucket, folder).pipe(
      Stream.filter(({ key }) => !key.startsWith(prefix)),
      Stream.runForEach(({ key }) => storage.remove({ bucket: options.bucket, key })),
      // What stays behind costs a little space and harms nobody.
      Effect.catch((error) => Effect.logWarning("files of earlier tries were not removed", { folder, error })),
    )

  return {
    transcribe,
    newest: (mediaId: string) => Effect.map(record.find(mediaId), (state) => state?.request),
    giveUp: (failed: EventOf<"transcription.failed">) => record.fail(failed),
  }
})

const encode = Schema.encodeEffect(Schema.fromJsonString(Transcript))
