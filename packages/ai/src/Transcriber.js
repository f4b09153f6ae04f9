/**
 * Transcribes one recording: extract the audio, split it at pauses, recognise the chunks in parallel, merge the words,
 * build the cues, write the files.
 *
 * - The result of each chunk is cached (`RecognitionCache`), so the next attempt continues after a crash.
 * - The prefix of the files has the fencing token of the lease, so a worker that lost its lease cannot overwrite the files
 *   of its successor. The files of earlier attempts are deleted.
 * - Samples stay on the disk, so memory does not grow with the length of the recording.
 */
import * as ObjectRef from "@armoricore/domain/ObjectRef";
import { deriveId } from "@armoricore/domain/DeterministicId";
import { TransientError } from "@armoricore/domain/Errors";
import { Transcript } from "@armoricore/domain/Transcript";
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls";
import { Clock, Context, Data, Effect, FileSystem, Layer, Path, Schema, Stream } from "effect";
import { ChildProcessSpawner } from "effect/process";
import * as Cues from "./captions/Cues.ts";
import { plainText, subRip, webVtt } from "./captions/CaptionFiles.ts";
import { lintCues } from "./captions/CaptionRules.ts";
import { failure } from "./TranscriptionFailures.ts";
import { canonicalTag, undetermined } from "./LanguageTag.ts";
import * as RecognitionCache from "./RecognitionCache.ts";
import * as SpeechRecognition from "./SpeechRecognition.ts";
import { sampleRate } from "./Pcm.ts";
import * as AudioExtraction from "./AudioExtraction.ts";
import { SpeechEngines } from "./SpeechEngines.ts";
import * as TranscriptRecord from "./TranscriptRecord.ts";
/** There is no result to publish. */
export class MediaDeleted extends Data.TaggedError("MediaDeleted") {
}
export class Transcriber extends Context.Service()("@armoricore/ai/Transcriber") {
    static layer = (options) => Layer.effect(Transcriber, make(options));
}
const make = Effect.fnUntraced(function* (options) {
    const storage = yield* ObjectStorage;
    const playback = yield* PlaybackUrls;
    const engines = yield* SpeechEngines;
    const workFolder = yield* ScratchDir;
    const record = yield* TranscriptRecord.make;
    const services = yield* Effect.context();
    const putText = Effect.fnUntraced(function* (key, text, contentType) {
        const ref = { bucket: options.bucket, key };
        const body = new TextEncoder().encode(text);
        // Each request and attempt has its own prefix, so these objects never change.
        yield* storage.put(ref, body, { contentType, cacheControl: "public, max-age=31536000, immutable" });
        return ref;
    });
    const transcribe = Effect.fn("Transcriber.transcribe")(function* (event, lease, onProgress = () => Effect.void) {
        const { payload } = event;
        const requestedLanguage = canonicalTag(payload.language);
        if (payload.language !== undefined && requestedLanguage === undefined)
            return yield* failure("invalid_language");
        const transcriptionId = deriveId("transcription", event.event_id);
        if (!(yield* record.begin(event)))
            return yield* new MediaDeleted();
        let recordedPercent = 0;
        const reportProgress = (percent) => Effect.gen(function* () {
            yield* onProgress(percent);
            if (percent - recordedPercent < 5)
                return;
            recordedPercent = percent;
            yield* record.progress(event, Math.floor(percent));
        }).pipe(
        // Progress is informative: a failure to report it must not fail the transcription.
        Effect.catch((error) => Effect.logDebug("progress was not recorded", { error })));
        const samplesFile = yield* AudioExtraction.extract({
            filePath: payload.source_file_path,
            allowedBuckets: options.sourceBuckets,
            folder: yield* workFolder.make,
            maxBytes: options.maxBytes ?? 50e9,
            maxSeconds: options.maxSeconds ?? 12 * 3600,
            onProgress: () => Effect.void,
        });
        yield* reportProgress(10);
        const recognition = samplesFile === undefined
            ? { ...SpeechRecognition.emptyResult, quality: "no_audio" }
            : yield* SpeechRecognition.recognize(engines, {
                samplesFile,
                cache: {
                    bucket: options.bucket,
                    mediaId: payload.media_id,
                    forcedBy: payload.force === true ? event.event_id : undefined,
                },
                language: requestedLanguage,
                folder: yield* workFolder.make,
                onProgress: (fraction) => reportProgress(10 + fraction * 85),
            });
        const language = requestedLanguage ?? recognition.language ?? undetermined;
        const cues = Cues.buildCues(recognition.words, language);
        const document = {
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
            notes: recognition.notes,
        };
        const folder = `transcripts/${payload.media_id}/${transcriptionId}/`;
        const prefix = `${folder}${lease.fencingToken}/`;
        // The document has the type of the schema, so encoding cannot fail.
        const json = yield* Effect.orDie(encode(document));
        const transcriptRef = yield* putText(`${prefix}transcript.json`, json, "application/json");
        yield* putText(`${prefix}transcript.txt`, plainText.render(recognition.words), plainText.contentType);
        const vttRef = yield* putText(`${prefix}captions.vtt`, webVtt.render(cues), webVtt.contentType);
        const srtRef = yield* putText(`${prefix}captions.srt`, subRip.render(cues), subRip.contentType);
        const complete = {
            media_id: payload.media_id,
            user_id: payload.user_id,
            transcription_id: transcriptionId,
            transcript_file_path: ObjectRef.toUrl(transcriptRef),
            language,
            completed_at: new Date(yield* Clock.currentTimeMillis).toISOString(),
            caption_urls: { vtt: yield* playback.urlFor(vttRef), srt: yield* playback.urlFor(srtRef) },
            quality: recognition.quality,
            engine: recognition.engine,
            word_count: recognition.words.length,
        };
        yield* record.complete(event, complete);
        if (yield* record.isDeleted(event)) {
            yield* removeAll(payload.media_id);
            return yield* new MediaDeleted();
        }
        yield* removeOtherAttempts(folder, prefix);
        yield* onProgress(100);
        return complete;
    }, Effect.scoped, Effect.provide(services));
    /** Deletes everything below the media's prefixes, which the deletion of the media may have done before the last write. */
    const removeAll = (mediaId) => Effect.forEach([`transcripts/${mediaId}/`, RecognitionCache.prefixOf(mediaId)], (prefix) => Stream.runForEach(storage.list(options.bucket, prefix), ({ key }) => storage.remove({ bucket: options.bucket, key })), { discard: true });
    /** Deletes the files of earlier attempts of the same request. */
    const removeOtherAttempts = (folder, prefix) => storage.list(options.bucket, folder).pipe(Stream.filter(({ key }) => !key.startsWith(prefix)), Stream.runForEach(({ key }) => storage.remove({ bucket: options.bucket, key })), 
    // Best effort: a leftover file costs only storage.
    Effect.catch((error) => Effect.logWarning("files of earlier attempts could not be deleted", { folder, error })));
    return {
        transcribe,
        latestRequest: (mediaId) => Effect.map(record.find(mediaId), (state) => state?.request),
        recordFailure: (failed) => Effect.gen(function* () {
            yield* record.fail(failed);
            const { media_id: mediaId } = failed.payload;
            const isKnown = (yield* record.find(mediaId)) !== undefined;
            if (!isKnown && (yield* record.wasDeleted(mediaId)))
                yield* removeAll(mediaId);
        }),
    };
});
const encode = Schema.encodeEffect(Schema.fromJsonString(Transcript));
