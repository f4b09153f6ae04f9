/**
 * Transcribes one recording: extract the audio, split it at pauses, recognise the chunks in parallel, merge the words,
 * build the cues, write the files.
 *
 * - The result of each chunk is cached (`RecognitionCache`), so the next attempt continues after a crash.
 * - The prefix of the files has the fencing token of the lease, so a worker that lost its lease cannot overwrite the files
 *   of its successor. The files of earlier attempts are deleted.
 * - Samples stay on the disk, so memory does not grow with the length of the recording.
 */
import * as ObjectRef from "@armoricore/domain/ObjectRef"
import { deriveId } from "@armoricore/domain/DeterministicId"
import type { ConfigurationError, InvalidEvent, PermanentError } from "@armoricore/domain/Errors"
import { TransientError } from "@armoricore/domain/Errors"
import type { EventOf, PayloadOf } from "@armoricore/domain/EventRegistry"
import { Transcript } from "@armoricore/domain/Transcript"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls"
import { Clock, Context, Data, Effect, FileSystem, Layer, Option, Path, Schema, Stream } from "effect"
import { ChildProcessSpawner } from "effect/process"
import * as Cues from "./captions/Cues.ts"
import { plainText, subRip, webVtt } from "./captions/CaptionFiles.ts"
import { lintCues } from "./captions/CaptionRules.ts"
import { failure } from "./TranscriptionFailures.ts"
import { canonicalTag, undetermined } from "./LanguageTag.ts"
import * as RecognitionCache from "./RecognitionCache.ts"
import * as SpeechRecognition from "./SpeechRecognition.ts"
import { sampleRate } from "./Pcm.ts"
import * as AudioExtraction from "./AudioExtraction.ts"
import * as LanguageTasks from "./language/LanguageTasks.ts"
import { SpeechEngines } from "./SpeechEngines.ts"
import * as TranscriptRecord from "./TranscriptRecord.ts"

export interface Options {
  /** The bucket of the transcripts, `OBJECT_STORAGE_BUCKET`. */
  readonly bucket: string
  /** The allowed buckets of recordings, `MEDIA_SOURCE_BUCKETS`. */
  readonly sourceBuckets: ReadonlyArray<string>
  /** Size of the recording. Default 50 GB. */
  readonly maxBytes?: number
  /** Duration of the recording. Default 12 h. */
  readonly maxSeconds?: number
  /** Names and terms of every recording, `SPEECH_VOCABULARY`. */
  readonly vocabulary?: ReadonlyArray<string>
}

/** There is no result to publish. */
export class MediaDeleted extends Data.TaggedError("MediaDeleted") {}

/** The state document has a new percentage at most this often; subscribers get every one. */
const minProgressMillis = 2_000

export class Transcriber extends Context.Service<
  Transcriber,
  {
    /**
     * The fencing token grows with each owner of the lease. `onProgress` is called a few times per minute. `MediaDeleted`:
     * the media was deleted after the request, and nothing of the transcript is left.
     */
    readonly transcribe: (
      event: EventOf<"transcription.requested">,
      lease: { readonly fencingToken: number },
      onProgress?: (percent: number) => Effect.Effect<void>,
    ) => Effect.Effect<
      PayloadOf<"transcription.complete">,
      TransientError | PermanentError | ConfigurationError | InvalidEvent | MediaDeleted
    >
    /** The payload of the newest request for a media. */
    readonly latestRequest: (
      mediaId: string,
    ) => Effect.Effect<PayloadOf<"transcription.requested"> | undefined, TransientError | ConfigurationError>
    /** Records a final failure. After the deletion of the media it removes what the cancelled work has left. */
    readonly recordFailure: (
      failed: EventOf<"transcription.failed">,
    ) => Effect.Effect<void, TransientError | ConfigurationError>
  }
>()("@armoricore/ai/Transcriber") {
  static readonly layer = (options: Options) => Layer.effect(Transcriber, make(options))
}

const make = Effect.fnUntraced(function* (options: Options) {
  const storage = yield* ObjectStorage
  const playback = yield* PlaybackUrls
  const engines = yield* SpeechEngines
  const workFolder = yield* ScratchDir
  const record = yield* TranscriptRecord.make
  const languageTasks = Option.getOrUndefined(yield* Effect.serviceOption(LanguageTasks.LanguageTasks))
  const services = yield* Effect.context<
    FileSystem.FileSystem | Path.Path | ObjectStorage | FfmpegPrograms | ChildProcessSpawner.ChildProcessSpawner
  >()

  const putText = Effect.fnUntraced(function* (key: string, text: string, contentType: string) {
    const ref = { bucket: options.bucket, key }
    const body = new TextEncoder().encode(text)
    // Each request and attempt has its own prefix, so these objects never change.
    yield* storage.put<never, never>(ref, body, { contentType, cacheControl: "public, max-age=31536000, immutable" })
    return ref
  })

  /** The document and its captions, below a prefix. */
  const putFiles = Effect.fnUntraced(function* (prefix: string, document: Transcript) {
    // The document has the type of the schema, so encoding cannot fail.
    const json = yield* Effect.orDie(encode(document))
    const transcriptRef = yield* putText(`${prefix}transcript.json`, json, "application/json")
    yield* putText(`${prefix}transcript.txt`, plainText.render(document.words), plainText.contentType)
    const vttRef = yield* putText(`${prefix}captions.vtt`, webVtt.render(document.cues), webVtt.contentType)
    const srtRef = yield* putText(`${prefix}captions.srt`, subRip.render(document.cues), subRip.contentType)
    return {
      transcript_file_path: ObjectRef.toUrl(transcriptRef),
      caption_urls: { vtt: yield* playback.urlFor(vttRef), srt: yield* playback.urlFor(srtRef) },
    }
  })

  const transcribe = Effect.fn("Transcriber.transcribe")(
    function* (
      event: EventOf<"transcription.requested">,
      lease: { readonly fencingToken: number },
      onProgress: (percent: number) => Effect.Effect<void> = () => Effect.void,
    ) {
      const { payload } = event
      const requestedLanguage = canonicalTag(payload.language)
      if (payload.language !== undefined && requestedLanguage === undefined) return yield* failure("invalid_language")
      const targets: Array<string> = []
      for (const language of payload.translate ?? []) {
        const tag = canonicalTag(language)
        if (tag === undefined) return yield* failure("invalid_language", `translate has ${language.slice(0, 40)}`)
        targets.push(tag)
      }
      const transcriptionId = deriveId("transcription", event.event_id)
      if (!(yield* record.begin(event))) return yield* new MediaDeleted()
      let recordedPercent = 0
      let recordedAt = yield* Clock.currentTimeMillis
      const reportProgress = (percent: number) =>
        Effect.gen(function* () {
          yield* onProgress(percent)
          const now = yield* Clock.currentTimeMillis
          // A clip is done before its progress is of use.
          if (percent - recordedPercent < 5 || now - recordedAt < minProgressMillis) return
          recordedPercent = percent
          recordedAt = now
          yield* record.progress(event, Math.floor(percent))
        }).pipe(
          // Progress is informative: a failure to report it must not fail the transcription.
          Effect.catch((error) => Effect.logDebug("progress was not recorded", { error })),
        )

      const samplesFile = yield* AudioExtraction.extract({
        filePath: payload.source_file_path,
        allowedBuckets: options.sourceBuckets,
        folder: yield* workFolder.make,
        maxBytes: options.maxBytes ?? 50e9,
        maxSeconds: options.maxSeconds ?? 12 * 3600,
        onProgress: () => Effect.void,
      })
      yield* reportProgress(10)
      const recognition =
        samplesFile === undefined
          ? { ...SpeechRecognition.emptyResult, quality: "no_audio" }
          : yield* SpeechRecognition.recognize(engines, {
              samplesFile,
              cache: {
                bucket: options.bucket,
                mediaId: payload.media_id,
                forcedBy: payload.force === true ? event.event_id : undefined,
              },
              language: requestedLanguage,
              vocabulary: vocabularyOf(options.vocabulary, payload.vocabulary),
              folder: yield* workFolder.make,
              onProgress: (fraction) => reportProgress(10 + fraction * 85),
            })

      const language = requestedLanguage ?? recognition.language ?? undetermined
      const cues = Cues.buildCues(recognition.words, language)
      const additions =
        languageTasks === undefined
          ? { ...LanguageTasks.nothing, notes: targets.length === 0 ? [] : [noLanguageModel] }
          : yield* languageTasks.run(
              storage,
              { bucket: options.bucket, mediaId: payload.media_id },
              { cues, language },
              targets,
            )
      const document: Transcript = {
        version: 1,
        transcription_id: transcriptionId,
        media_id: payload.media_id,
        language,
        engine: recognition.engine,
        quality: recognition.quality,
        duration: Math.round((recognition.sampleCount / sampleRate) * 1000) / 1000,
        words: recognition.words,
        cues,
        faults: lintCues(cues),
        notes: [...recognition.notes, ...additions.notes],
        ...(additions.outline === undefined ? {} : { outline: additions.outline }),
      }
      const folder = `transcripts/${payload.media_id}/${transcriptionId}/`
      const prefix = `${folder}${lease.fencingToken}/`
      const files = yield* putFiles(prefix, document)
      const translations = yield* Effect.forEach(additions.translations, ({ language: target, words }) => {
        const translatedCues = Cues.buildCues(words, target)
        return Effect.map(
          putFiles(`${prefix}${target}/`, {
            ...document,
            transcription_id: deriveId("translation", transcriptionId, target),
            language: target,
            engine: languageTasks?.model ?? "",
            words,
            cues: translatedCues,
            faults: lintCues(translatedCues),
            notes: [],
            translated_from: language,
          }),
          (translated) => ({ language: target, ...translated }),
        )
      })
      const complete: PayloadOf<"transcription.complete"> = {
        media_id: payload.media_id,
        user_id: payload.user_id,
        transcription_id: transcriptionId,
        ...files,
        language,
        completed_at: new Date(yield* Clock.currentTimeMillis).toISOString(),
        quality: recognition.quality,
        engine: recognition.engine,
        word_count: recognition.words.length,
        ...(translations.length === 0 ? {} : { translations }),
        ...(additions.outline === undefined ? {} : { outline: additions.outline }),
      }
      yield* record.complete(event, complete, languageTasks?.model ?? "")
      if (yield* record.isDeleted(event)) {
        yield* removeAll(payload.media_id)
        return yield* new MediaDeleted()
      }
      yield* removeOtherAttempts(folder, prefix)
      yield* onProgress(100)
      return complete
    },
    Effect.scoped,
    Effect.provide(services),
  )

  /** Deletes everything below the media's prefixes, which the deletion of the media may have done before the last write. */
  const removeAll = (mediaId: string) =>
    Effect.forEach(
      [`transcripts/${mediaId}/`, RecognitionCache.prefixOf(mediaId)],
      (prefix) =>
        Stream.runForEach(storage.list(options.bucket, prefix), ({ key }) =>
          storage.remove({ bucket: options.bucket, key }),
        ),
      { discard: true },
    )

  /** Deletes the files of earlier attempts of the same request. */
  const removeOtherAttempts = (folder: string, prefix: string) =>
    storage.list(options.bucket, folder).pipe(
      Stream.filter(({ key }) => !key.startsWith(prefix)),
      Stream.runForEach(({ key }) => storage.remove({ bucket: options.bucket, key })),
      // Best effort: a leftover file costs only storage.
      Effect.catch((error) => Effect.logWarning("files of earlier attempts could not be deleted", { folder, error })),
    )

  return {
    transcribe,
    latestRequest: (mediaId: string) => Effect.map(record.find(mediaId), (state) => state?.request),
    recordFailure: (failed: EventOf<"transcription.failed">) =>
      Effect.gen(function* () {
        yield* record.fail(failed)
        const { media_id: mediaId } = failed.payload
        const isKnown = (yield* record.find(mediaId)) !== undefined
        if (!isKnown && (yield* record.wasDeleted(mediaId))) yield* removeAll(mediaId)
      }),
  }
})

const noLanguageModel = "no translation was made: no language model is configured; set LANGUAGE_MODEL_BASE_URL"

/** The prompt of a Whisper model has at most 224 tokens; the terms of the request come first. */
const maxVocabularyLength = 600

const vocabularyOf = (
  general: ReadonlyArray<string> | undefined,
  own: ReadonlyArray<string> | null | undefined,
): string | undefined => {
  const terms = [...new Set([...(own ?? []), ...(general ?? [])].map((term) => term.replace(/\s+/gu, " ").trim()))]
  const text = terms.reduce(
    (joined, term) =>
      term === "" || joined.length + term.length + 2 > maxVocabularyLength
        ? joined
        : joined === ""
          ? term
          : `${joined}, ${term}`,
    "",
  )
  return text === "" ? undefined : text
}

const encode = Schema.encodeEffect(Schema.fromJsonString(Transcript))
