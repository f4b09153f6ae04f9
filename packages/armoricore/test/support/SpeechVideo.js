/** A video of 12 s in which the fake speech server recognises two sentences, both "w0 w1 …". */
import { wavHeader } from "@armoricore/ai/Pcm";
import * as ToneSpeech from "@armoricore/testing/fakes/ToneSpeech";
import { Effect } from "effect";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { temporaryDirectory } from "./ProgramProcess.ts";
/** Two sentences of nine words, with a pause of two seconds in between. */
const [first, second] = [ToneSpeech.synthesize(9, { before: 1.5, after: 2 }), ToneSpeech.synthesize(9, { after: 1 })];
/** Start times of the sentences, in seconds. */
export const sentenceStarts = {
    first: first.words[0]?.start ?? 0,
    second: first.samples.length / ToneSpeech.sampleRate + (second.words[0]?.start ?? 0),
};
export const make = Effect.fnUntraced(function* (ffmpeg) {
    const home = yield* temporaryDirectory;
    const samples = Int16Array.from([...first.samples, ...second.samples]);
    const audio = join(home, "audio.wav");
    writeFileSync(audio, Buffer.concat([wavHeader(samples.length), Buffer.from(samples.buffer)]));
    const file = join(home, "video.mp4");
    const args = `-v error -f lavfi -i testsrc2=s=640x360:r=25:d=12 -i ${audio} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac ${file}`;
    yield* Effect.promise(() => promisify(execFile)(ffmpeg, args.split(" ")));
    return file;
});
