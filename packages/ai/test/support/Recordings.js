/** Generated recordings, so that the repository needs no media files. */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { wavHeader } from "@armoricore/ai/Pcm";
import { Effect, FileSystem, Path, Stream } from "effect";
import { ChildProcess } from "effect/process";
const run = Effect.fnUntraced(function* (program, args) {
    const child = yield* ChildProcess.make(program, args, {
        stdin: "ignore",
        stdout: "ignore",
        forceKillAfter: "1 second",
    });
    const [code, stderr] = yield* Effect.all([child.exitCode, Stream.mkString(Stream.decodeText(child.stderr))], {
        concurrency: 2,
    });
    if (code !== 0)
        return yield* Effect.die(new Error(`${program} ${args.join(" ")}: ${code} ${stderr}`));
}, Effect.scoped);
/** Runs ffmpeg to its end in a folder of the test; returns the path of the last argument's file. */
export const ffmpeg = Effect.fnUntraced(function* (name, ...args) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const programs = yield* FfmpegPrograms;
    const file = path.join(yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-ai-test-" }), name);
    yield* run(programs.ffmpeg, ["-v", "error", "-nostdin", "-y", ...args, file]);
    return file;
});
/** Speech of the flite voice that pocketsphinx recognises best; `before` and `between` are seconds of silence. */
export const speech = Effect.fnUntraced(function* (sentences, options = {}) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-ai-test-" });
    const files = yield* Effect.forEach(sentences, (text, index) => {
        const file = path.join(folder, `${index}.wav`);
        return Effect.as(run("flite", ["-voice", "rms", "-t", text, "-o", file]), file);
    });
    const pads = files.map((_, index) => `[${index}]adelay=${(index === 0 ? (options.before ?? 0) : (options.between ?? 0.6)) * 1000}:all=1[s${index}]`);
    return yield* ffmpeg("speech.wav", ...files.flatMap((file) => ["-i", file]), "-filter_complex", `${pads.join(";")};${files.map((_, index) => `[s${index}]`).join("")}concat=n=${files.length}:v=0:a=1`, "-ar", "48000", "-ac", "2");
});
/** A video with this audio, or without audio. */
export const video = (audio, seconds) => ffmpeg("video.mp4", "-f", "lavfi", "-i", `testsrc2=s=64x64:r=10:d=${seconds}`, ...(audio === undefined ? [] : ["-i", audio, "-c:a", "aac"]), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p");
/** Samples (16 kHz, mono) as a WAV file. */
export const wav = (samples) => Buffer.concat([wavHeader(samples.length), Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)]);
/** Word error rate: edits over the number of words that were said. */
export const wordErrorRate = (expected, recognized) => {
    const words = (text) => text.toLowerCase().match(/[a-z']+/g) ?? [];
    const reference = words(expected);
    let row = [...words(recognized).keys(), words(recognized).length];
    reference.forEach((word, index) => {
        const next = [index + 1];
        words(recognized).forEach((other, position) => {
            next.push(Math.min((row[position] ?? 0) + (word === other ? 0 : 1), (row[position + 1] ?? 0) + 1, (next[position] ?? 0) + 1));
        });
        row = next;
    });
    return (row.at(-1) ?? 0) / Math.max(1, reference.length);
};
