import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import * as Fragments from "@armoricore/media/packaging/Fragments";
import { assert, describe, layer } from "@effect/vitest";
import { Effect, FileSystem, Path, Stream } from "effect";
import { ChildProcess } from "effect/process";
import { ffmpeg } from "../support/Clips.ts";
import { isFfmpegMissing, programs } from "../support/Pipeline.ts";
const words = (text) => text.split(" ");
/** Times, sizes and flags of all packets, and the hashes of all pictures. */
const contentOf = Effect.fnUntraced(function* (file) {
    const { ffmpeg: program, ffprobe } = yield* FfmpegPrograms;
    const said = Effect.fnUntraced(function* (name, args) {
        const child = yield* ChildProcess.make(name, args, { stdin: "ignore", stderr: "inherit" });
        return yield* Stream.mkString(Stream.decodeText(child.stdout));
    }, Effect.scoped);
    const entries = "packet=pts,dts,duration,size,flags";
    const packets = yield* said(ffprobe, [...words("-v error -show_entries"), entries, ...words("-of csv"), file]);
    return packets + (yield* said(program, [...words("-v error -i"), file, ...words("-f framemd5 -")]));
});
describe.skipIf(isFfmpegMissing)("Fragments", () => {
    layer(programs, { excludeTestServices: true })((it) => {
        it.effect("a split segment has a fragment for each key frame and the same samples", () => Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem;
            const path = yield* Path.Path;
            const folder = yield* fs.makeTempDirectoryScoped();
            const file = (name) => path.join(folder, name);
            yield* ffmpeg([
                ...words("-f lavfi -i testsrc2=s=96x64:r=30:d=9 -c:v libx264 -preset veryfast -g 30 -pix_fmt yuv420p"),
                ...words("-sc_threshold 0 -f hls -hls_time 4 -hls_list_size 0 -hls_segment_type fmp4"),
                ...words("-avoid_negative_ts disabled -hls_segment_options movflags=+frag_discont"),
                ...words("-hls_fmp4_init_filename init.mp4 -hls_segment_filename"),
                file("%d.m4s"),
                file("list.m3u8"),
            ]);
            const init = yield* fs.readFile(file("init.mp4"));
            for (const [name, keys] of [
                ["0.m4s", 4],
                ["1.m4s", 4],
                ["2.m4s", 1],
            ]) {
                const before = yield* fs.readFile(file(name));
                const after = Fragments.split(before);
                assert.lengthOf(Fragments.keyFrames(before, 512), 1);
                const places = Fragments.keyFrames(after, 512);
                assert.lengthOf(places, keys);
                assert.isTrue(places.every(({ offset }) => Buffer.from(after).toString("latin1", offset + 4, offset + 8) === "moof"));
                // Doing it again changes nothing.
                assert.deepStrictEqual(Buffer.from(Fragments.split(after)), Buffer.from(after));
                yield* fs.writeFile(file("before.mp4"), Buffer.concat([init, before]));
                yield* fs.writeFile(file("after.mp4"), Buffer.concat([init, after]));
                const content = yield* contentOf(file("after.mp4"));
                assert.isAbove(content.length, 1000);
                assert.strictEqual(content, yield* contentOf(file("before.mp4")));
            }
        }));
        it.effect("a segment of another structure is returned unchanged", () => Effect.sync(() => {
            for (const bytes of [
                new Uint8Array(0),
                new Uint8Array(7),
                Buffer.from("\0\0\0\u0010moof\0\0\0\u0008traf", "latin1"),
            ]) {
                assert.strictEqual(Fragments.split(bytes), bytes);
                assert.deepStrictEqual(Fragments.keyFrames(bytes, 1), []);
            }
        }));
    });
});
