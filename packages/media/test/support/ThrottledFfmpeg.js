/** An ffmpeg that reads its source at a limited rate, so that a test can observe a stream during the encode. */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { Effect, FileSystem, Layer, Path } from "effect";
/** `pace`: seconds of the source per second. */
export const layerThrottled = (pace) => layerWithExtraArgs("-t", `-readrate ${pace}`);
/** An ffmpeg that gets extra arguments before each `word`. */
export const layerWithExtraArgs = (word, words) => Layer.effect(FfmpegPrograms, Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const programs = yield* FfmpegPrograms;
    const script = path.join(yield* fs.makeTempDirectoryScoped(), "ffmpeg");
    // Every argument in its place.
    const lines = [
        "#!/bin/sh",
        `for word; do shift; [ "$word" = ${word} ] && set -- "$@" ${words}; set -- "$@" "$word"; done`,
        `exec ${programs.ffmpeg} "$@"`,
    ];
    yield* fs.writeFileString(script, `${lines.join("\n")}\n`);
    yield* fs.chmod(script, 0o755);
    return { ...programs, ffmpeg: script };
}));
