/**
 * Sources of all kinds become streams with the same frames in the same order, the same length, and audio and video in sync.
 * A sample of the combinations by default; 200 of them, in about 14 minutes:
 * `MEDIA_GENERATED_SOURCES=200 npm test -- --project media packages/media/test/pipeline/GeneratedSources.test.ts`
 */
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { assert, describe, layer } from "@effect/vitest";
import { Effect, FileSystem, Path } from "effect";
import { ffmpeg } from "../support/Clips.ts";
import * as GeneratedSource from "../support/GeneratedSource.ts";
import { fetchAll, isFfmpegMissing, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts";
import { ffmpegOutput } from "../support/RunFfmpeg.ts";
import { concatTrack } from "../support/Tracks.ts";
import { rotate } from "../support/Mp4Edits.ts";
const words = (text) => text.split(" ");
/** Seeds with different containers, codecs, offsets and cuts. */
const sample = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const count = Number(process.env["MEDIA_GENERATED_SOURCES"] ?? sample.length);
const seeds = count === sample.length ? sample : Array.from({ length: count }, (_, index) => index + 1);
/** Seconds between a flash and its beep. */
const maxOffset = 0.025;
const verify = Effect.fnUntraced(function* (source) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const folder = yield* fs.makeTempDirectoryScoped();
    const file = (name) => path.join(folder, name);
    for (const args of source.steps(file))
        yield* ffmpeg(args);
    if (source.quarters > 0) {
        yield* fs.writeFile(file(source.file), rotate(yield* fs.readFile(file(source.file)), source.quarters));
    }
    const { processUpload } = yield* UploadPipeline;
    const upload = yield* storeUpload(`uploads/${source.file}`, file(source.file));
    const outcome = yield* processUpload(uploaded(`generated-${source.file.replace(".", "-")}`, upload), {
        fencingToken: 1,
    });
    if (outcome._tag !== "Ready")
        return yield* Effect.die(new Error("superseded"));
    const { ready } = outcome;
    const stream = file("stream");
    yield* fetchAll(prefixOf(ready), stream);
    const rate = source.rate.num / source.rate.den;
    const frame = 1 / rate;
    assert.strictEqual(ready.width, source.quarters % 2 === 0 ? GeneratedSource.width : GeneratedSource.height);
    const pixels = yield* ffmpegOutput([
        "-i",
        yield* concatTrack(stream, ready.resolutions[0] ?? ""),
        ...words("-fps_mode passthrough -vf scale=1:1:flags=area,format=yuv444p -f rawvideo -"),
    ]);
    const [brightness, blue] = [0, 1].map((plane) => Array.from({ length: pixels.byteLength / 3 }, (_, index) => pixels[index * 3 + plane] ?? 0));
    if (brightness === undefined || blue === undefined)
        return yield* Effect.die(new Error("no frames"));
    const audio = yield* ffmpegOutput(["-i", yield* concatTrack(stream, "audio"), ...words("-f f32le -ac 1 -ar 48000 -")]);
    const samples = new Float32Array(audio.buffer.slice(audio.byteOffset, audio.byteOffset + audio.byteLength));
    const numbers = brightness.map((value) => ((Math.round((value - 24) / 28) % 8) + 8) % 8);
    const first = Math.max(0, numbers.findIndex((number) => number !== numbers[0]) - 1);
    const last = numbers.findLastIndex((number) => number !== numbers.at(-1)) + 1;
    assert.deepInclude({ first: numbers[0], last: numbers.at(-1), frames: last - first + 1 }, { first: 0, last: (source.frames - 1) % 8, frames: source.frames });
    const unexpected = numbers.slice(first, last + 1).findIndex((number, index) => number !== index % 8);
    assert.strictEqual(unexpected, -1, `frame ${unexpected} is out of order`);
    // The first frame moves to the grid, and some containers start with the 21 ms of priming of the audio.
    assert.closeTo(first * frame, source.videoStart, frame + 0.025);
    assert.closeTo(numbers.length * frame, source.seconds, frame + 0.001, "the length of the video");
    assert.closeTo(ready.duration, source.seconds, frame + 0.001, "the stated duration");
    assert.closeTo(samples.length / 48_000, source.seconds, frame + 0.1, "the length of the audio");
    for (const [index, flash] of source.flashes.entries()) {
        const beep = source.beeps[index] ?? 0;
        const flashAt = blue.findIndex((value, at) => at * frame > flash - 0.3 && value < 123) * frame;
        const beepAt = samples.findIndex((value, at) => at / 48_000 > beep - 0.3 && Math.abs(value) > 0.15) / 48_000;
        const offset = flashAt - beepAt - (flash - beep);
        assert.isAtMost(Math.abs(offset), maxOffset, `flash at ${flashAt} s, beep at ${beepAt} s`);
        assert.closeTo(flashAt, flash, frame + 0.001);
    }
}, Effect.scoped);
describe.skipIf(isFfmpegMissing)("Generated sources", () => {
    layer(pipeline({ ladder: [{ shortSide: GeneratedSource.height, kilobits: 600 }], thumbnails: 0, storyboard: false }), { excludeTestServices: true })((it) => {
        it.effect.each(seeds.map(GeneratedSource.generate))("$name", (source) => verify(source));
    });
});
