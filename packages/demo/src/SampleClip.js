/**
 * The clip that the demo uploads by default: eight seconds of ffmpeg's test pattern with a quiet chord, 1280×720. Where
 * flite is installed, a voice speaks a sentence instead of the chord: the offline speech engine recognises no words over
 * music, and the demo can then show captions.
 */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { Effect, FileSystem, Path, Stream } from "effect";
import { ChildProcess } from "effect/process";
import { DemoFailed } from "./DemoFailed.ts";
const seconds = 8;
const sentence = "This clip was uploaded, and became a stream with captions.";
const videoInput = ["-f", "lavfi", "-t", `${seconds}`, "-i", "testsrc2=size=1280x720:rate=30"];
/** Three tones whose volumes rise and fall one after the other. */
const chord = [220, 277.18, 329.63]
    .map((tone, index) => `0.12*sin(2*PI*${tone}*t)*(0.65+0.35*sin(2*PI*(0.25*t+${index}/3)))`)
    .join("+");
const chordInput = ["-f", "lavfi", "-t", `${seconds}`, "-i", `aevalsrc=${chord}|${chord}:s=48000`];
const chordFilter = ["-af", `afade=in:d=0.4,afade=out:st=${seconds - 0.8}:d=0.8`];
const voiceFilter = `-af aresample=48000,adelay=1800:all=1,apad -ac 2 -t ${seconds}`.split(" ");
const encoding = "-c:v libx264 -preset veryfast -crf 19 -pix_fmt yuv420p -c:a aac -b:a 128k -movflags +faststart".split(" ");
/** Writes the clip to `file`. */
export const make = Effect.fn("SampleClip.make")(function* (file) {
    const { ffmpeg } = yield* FfmpegPrograms;
    const voice = yield* synthesizeSpeech;
    const audio = voice === undefined ? [...chordInput, ...chordFilter] : ["-i", voice, ...voiceFilter];
    const child = yield* ChildProcess.make(ffmpeg, ["-v", "error", "-y", ...videoInput, ...audio, ...encoding, file], {
        stdin: "ignore",
        stdout: "ignore",
        forceKillAfter: "1 second",
    });
    const stderr = yield* Stream.mkString(Stream.decodeText(child.stderr));
    const code = yield* child.exitCode;
    if (code !== 0)
        return yield* new DemoFailed({ message: `ffmpeg cannot make the sample clip: ${stderr.trim()}` });
}, Effect.scoped);
/** Path of a WAV file with the spoken sentence, or undefined where flite is not installed. */
const synthesizeSpeech = Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem;
    const file = (yield* Path.Path).join(yield* fs.makeTempDirectoryScoped(), "voice.wav");
    const child = yield* ChildProcess.make("flite", ["-voice", "rms", "-t", sentence, "-o", file], {
        stdin: "ignore",
        stdout: "ignore",
        stderr: "ignore",
        forceKillAfter: "1 second",
    });
    return (yield* child.exitCode) === 0 ? file : undefined;
}).pipe(Effect.orElseSucceed(() => undefined));
