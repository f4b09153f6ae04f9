/** A process that runs an endless ffmpeg until a test kills it. Arguments: the `ParentDeathSignal`, a marker. */
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg";
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { Duration, Effect, Layer } from "effect";
const [signal, marker] = process.argv.slice(2);
const isParentDeathSignal = (text) => text === "setpriv" || text === "watcher" || text === "none";
const programsLayer = Layer.effect(FfmpegPrograms, Effect.map(FfmpegPrograms, (found) => ({
    ...found,
    parentDeathSignal: isParentDeathSignal(signal) ? signal : found.parentDeathSignal,
}))).pipe(Layer.provide(FfmpegPrograms.layer()));
Ffmpeg.run({
    args: [..."-v error -re -f lavfi -i testsrc2=s=64x64 -metadata".split(" "), `title=${marker}`, "-f", "null", "-"],
    cwd: process.cwd(),
    onProgress: () => Effect.void,
    stallTimeout: Duration.minutes(5),
    timeout: Duration.minutes(5),
}).pipe(Effect.provide(programsLayer), Effect.provide(NodeServices.layer), NodeRuntime.runMain);
