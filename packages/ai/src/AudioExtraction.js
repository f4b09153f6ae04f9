/**
 * Extracts the audio of a recording in object storage to raw samples in a local file: download, probe, one ffmpeg run.
 * The source is untrusted and gets the same input restrictions as an upload.
 *
 * Times match the transcoded stream: gaps and a late start become silence, as in the transcoder.
 */
import * as ObjectRef from "@armoricore/domain/ObjectRef";
import { TransientError } from "@armoricore/domain/Errors";
import { isDecodableAudio, preferredTrack } from "@armoricore/ffmpeg/AudioTracks";
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg";
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { inputRestrictions } from "@armoricore/ffmpeg/InputRestrictions";
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Duration, Effect, FileSystem, Path, Schema, Stream } from "effect";
import { failure } from "./TranscriptionFailures.ts";
import { sampleRate } from "./Pcm.ts";
/**
 * The path of the samples (16 kHz, mono, s16le) of the track that the transcoded stream plays; undefined if the recording
 * has no audio stream.
 */
export const extract = Effect.fn("AudioExtraction.extract")(function* (request) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const source = path.join(request.folder, "source");
    yield* download(request, source);
    const audioStreams = yield* probeAudioStreams("source", request.folder);
    if (audioStreams.length === 0)
        return undefined;
    const { decodableCodecs } = yield* FfmpegPrograms;
    const audioStream = preferredTrack(audioStreams.filter((stream) => isDecodableAudio(stream, decodableCodecs)));
    if (audioStream === undefined) {
        const codecs = audioStreams.map(({ codec_name, codec_tag_string }) => codec_name ?? codec_tag_string ?? "unknown");
        return yield* failure("no_audio_decoder", codecs.join(", "));
    }
    const result = yield* Ffmpeg.run({
        args: [
            ...splitArguments("-hide_banner -nostdin -loglevel error"),
            ...inputRestrictions,
            // One second more than allowed, so that a longer recording is rejected and not truncated.
            ...splitArguments(`-t ${request.maxSeconds + 1} -i file:source -map 0:${audioStream.index} -vn -sn -dn`),
            ...splitArguments(`-af aresample=async=1:first_pts=0 -ac 1 -ar ${sampleRate} -f s16le file:samples`),
        ],
        cwd: request.folder,
        onProgress: request.onProgress,
        stallTimeout: Duration.minutes(1),
        timeout: Duration.seconds(300 + request.maxSeconds),
    });
    const samplesFile = path.join(request.folder, "samples");
    const bytes = yield* fs.stat(samplesFile).pipe(Effect.map(({ size }) => Number(size)), Effect.orElseSucceed(() => 0));
    // A damaged end is acceptable; a file without any decodable audio is not.
    if (result.code !== 0 && bytes === 0) {
        return yield* /No space left|Cannot allocate|Permission denied/i.test(result.stderr)
            ? new TransientError({ dependency: "ffmpeg", code: "failed", message: result.stderr.trim().slice(-300) })
            : failure("corrupt_media");
    }
    if (bytes / 2 / sampleRate > request.maxSeconds)
        return yield* failure("too_long", `at most ${request.maxSeconds} s`);
    yield* mapDiskErrors(fs.remove(source));
    return samplesFile;
});
const splitArguments = (text) => text.split(" ");
const download = Effect.fnUntraced(function* (request, to) {
    const fs = yield* FileSystem.FileSystem;
    const storage = yield* ObjectStorage;
    const ref = ObjectRef.fromUrl(request.filePath);
    if (!request.allowedBuckets.includes(ref.bucket))
        return yield* failure("unknown_bucket", ref.bucket);
    const object = yield* storage.get(ref).pipe(Effect.catchTag("NotFound", () => Effect.fail(failure("source_missing"))));
    if (object.info.size === 0)
        return yield* failure("empty_file");
    if (object.info.size > request.maxBytes)
        return yield* failure("too_large", `at most ${request.maxBytes} bytes`);
    return yield* mapDiskErrors(Stream.run(object.body, fs.sink(to)));
});
const ProbeReport = Schema.fromJsonString(Schema.Struct({
    streams: Schema.Array(Schema.Struct({
        index: Schema.Int,
        codec_type: Schema.optionalKey(Schema.String),
        codec_name: Schema.optionalKey(Schema.String),
        codec_tag_string: Schema.optionalKey(Schema.String),
        channels: Schema.optionalKey(Schema.Int),
        disposition: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int)),
    })),
}));
const decodeProbeReport = Schema.decodeUnknownEffect(ProbeReport);
const probeAudioStreams = Effect.fnUntraced(function* (file, cwd) {
    const output = yield* Ffmpeg.inspect(["-v", "error", ...inputRestrictions, ...splitArguments("-print_format json -show_streams -i"), `file:${file}`], cwd);
    const report = yield* Effect.mapError(decodeProbeReport(output.stdout), () => failure("unsupported_format"));
    if (output.code !== 0)
        return yield* failure("unsupported_format");
    return report.streams.filter(({ codec_type }) => codec_type === "audio");
});
