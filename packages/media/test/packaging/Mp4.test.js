import * as Mp4 from "@armoricore/media/packaging/Mp4";
import { assert, describe, layer } from "@effect/vitest";
import { Effect, FileSystem, Path } from "effect";
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts";
import { isFfmpegMissing, programs } from "../support/Pipeline.ts";
describe.skipIf(isFfmpegMissing)("Mp4", () => {
    layer(programs, { excludeTestServices: true })((it) => {
        const fragments = Effect.fnUntraced(function* (args) {
            const fs = yield* FileSystem.FileSystem;
            const path = yield* Path.Path;
            const folder = yield* fs.makeTempDirectoryScoped();
            const flags = "-f hls -hls_segment_type fmp4 -hls_time 2 -hls_list_size 0 -hls_fmp4_init_filename init.mp4".split(" ");
            yield* ffmpeg([
                ...args,
                ...flags,
                "-hls_segment_filename",
                path.join(folder, "%d.m4s"),
                path.join(folder, "a.m3u8"),
            ]);
            const track = Mp4.readInit(yield* fs.readFile(path.join(folder, "init.mp4")));
            const second = yield* fs.readFile(path.join(folder, "1.m4s"));
            return { track, second };
        });
        it.effect("reads the profile, the level and the segment times of a video", () => Effect.gen(function* () {
            const args = [...testVideo({ seconds: 5 }), ...h264, "-profile:v", "main", "-level", "4.0", "-g", "60"];
            const { track, second } = yield* fragments([...args, "-preset", "veryfast"]);
            assert.strictEqual(track?.codec, "avc1.4D4028");
            if (track === undefined)
                return;
            assert.closeTo(Mp4.segmentSeconds(second, track), 2, 0.001);
            assert.closeTo(Mp4.segmentStart(second, track) ?? 0, 2, 0.1);
        }));
        it.effect("reads the object type and the segment times of an audio track", () => Effect.gen(function* () {
            const { track, second } = yield* fragments([...tone(5), "-c:a", "aac"]);
            assert.strictEqual(track?.codec, "mp4a.40.2");
            if (track !== undefined)
                assert.closeTo(Mp4.segmentSeconds(second, track), 2, 0.05);
        }));
        it.effect("returns no track for bytes that are not MP4", () => Effect.sync(() => {
            assert.isUndefined(Mp4.readInit(new Uint8Array()));
            assert.isUndefined(Mp4.readInit(new Uint8Array(100).fill(255)));
            assert.isUndefined(Mp4.readInit(new TextEncoder().encode("This is not a film.\n".repeat(9))));
        }));
    });
});
