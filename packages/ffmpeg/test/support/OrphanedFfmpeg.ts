/** A process that runs an endless ffmpeg, for tests that kill it. Arguments: the leash, a marker. */
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { FfmpegPrograms, type ParentDeathSignal } from "@armoricore/ffmpeg/FfmpegPrograms"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Duration, Effect, Layer } from "effect"

const [leash, marker] = process.argv.slice(2)
const isLeash = (text: string | undefined): text is ParentDeathSignal =>
  text === "setpriv" || text === "watcher" || text === "none"

const programsLayer = Layer.effect(
  FfmpegPrograms,
  Effect.map(FfmpegPrograms, (found) => ({
    ...found,
    parentDeathSignal: isLeash(leash) ? leash : found.parentDeathSignal,
  })),
).pipe(Layer.provide(FfmpegPrograms.layer()))

Ffmpeg.run({
  args: [..."-v error -re -f lavfi -i testsrc2=s=64x64 -metadata".split(" "), `title=${marker}`, "-f", "null", "-"],
  cwd: process.cwd(),
  onProgress: () => Effect.void,
  stallTimeout: Duration.minutes(5),
  timeout: Duration.minutes(5),
}).pipe(Effect.provide(programsLayer), Effect.provide(NodeServices.layer), NodeRuntime.runMain)
