/**
 * What the media pipeline costs beside ffmpeg itself. Three ways of making the same stream with the same pictures,
 * by turns in one run:
 *
 * - pipeline: download, probe, ffmpeg, uploads, playlists, state record;
 * - (a) the same ffmpeg command by hand;
 * - (b) one ffmpeg for each rendition, one after the other.
 *
 * CPU seconds are those of this process and of all its children that ended (`/proc/self/stat`), so nothing is left
 * out. Usage: `npm run bench:media [-- rounds [seconds]]`.
 */
import * as FfmpegCommand from "@armoricore/media/FfmpegCommand"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { defaultLimits, probe } from "@armoricore/media/Probe"
import { Transcode } from "@armoricore/media/Transcode"
import { planOf } from "@armoricore/media/TranscodeOptions"
import { WorkFolder } from "@armoricore/ffmpeg/WorkFolder"
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus"
import { Ledger } from "@armoricore/worker/Ledger"
import * as MemoryState from "@armoricore/state/memory/MemoryState"
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/Playback"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem, Layer, Path } from "effect"
import * as Chunks from "./media/Chunks.ts"
import * as Copying from "./media/Copying.ts"
import * as Fairness from "./media/Fairness.ts"
import * as FirstPlayable from "./media/FirstPlayable.ts"
import { type Cost, measured } from "./Cost.ts"
import { byHand, least, uploaded } from "./media/Measure.ts"
import * as Results from "./Results.ts"

const numberAt = (at: number, usual: number): number => {
  const given = Number(process.argv[at] ?? usual)
  if (Number.isInteger(given) && given > 0) return given
  throw new Error(`"${process.argv[at]}" is no number; npm run bench:media [-- rounds [seconds]]`)
}
const rounds = numberAt(2, 2)
const seconds = numberAt(3, 12)

const bench = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const storage = yield* ObjectStorage
  const programs = yield* FfmpegPrograms
  const { transcode } = yield* Transcode
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-bench-" })
  const source = path.join(folder, "source.mp4")

  yield* Console.log(`making a source of ${seconds} s`)
  const noise = "noise=alls=12:allf=t,format=yuv420p"
  yield* byHand(
    [
      ...`-v error -f lavfi -i mandelbrot=s=1920x1080:r=30 -f lavfi -i sine=440 -t ${seconds} -vf ${noise}`.split(" "),
      ...`-c:v libx264 -preset veryfast -b:v 18M -maxrate 20M -bufsize 20M -c:a aac ${source}`.split(" "),
    ],
    folder,
  )
  const bytes = yield* fs.readFile(source)
  yield* storage.put<never, never>({ bucket: "media", key: "source.mp4" }, bytes, { contentType: "video/mp4" })

  const info = yield* probe("source.mp4", bytes.byteLength, folder, defaultLimits)
  if (info.video === undefined) return yield* Effect.die(new Error("the source has no picture"))
  const plan = planOf({ bucket: "media", sourceBuckets: [] }, info, programs.toneMapping)
  const last = plan.renditions.length - 1
  const single = plan.renditions.map((rendition, index) =>
    FfmpegCommand.args(
      {
        ...plan,
        renditions: [rendition],
        info: index === 0 ? info : { ...info, sounds: [] },
        thumbnails: index === last ? plan.thumbnails : 0,
        storyboard: index === last ? plan.storyboard : undefined,
      },
      source,
    ),
  )

  const costs: Record<"pipeline" | "alike" | "apart", Array<Cost>> = { pipeline: [], alike: [], apart: [] }
  /** Seconds until the beginning could be played, and until all was ready. */
  const soon: Array<{ readonly playable: number; readonly ready: number }> = []
  for (let round = 1; round <= rounds; round++) {
    const started = performance.now()
    let playable = Number.NaN
    const announce = () => Effect.sync(() => void (playable = (performance.now() - started) / 1000))
    const cost = yield* measured(transcode(uploaded(), { token: 1 }, undefined, announce))
    costs.pipeline.push(cost)
    soon.push({ playable, ready: cost.wall })
    costs.alike.push(yield* measured(byHand(FfmpegCommand.args(plan, source), folder)))
    costs.apart.push(yield* measured(Effect.forEach(single, (args) => byHand(args, folder), { discard: true })))
    yield* Console.log(`round ${round} of ${rounds} done`)
  }

  const row = (name: string, of: ReadonlyArray<Cost>) => [
    name,
    least(of, "cpu").toFixed(1),
    least(of, "wall").toFixed(1),
    (least(costs.pipeline, "cpu") / least(of, "cpu")).toFixed(2),
    (least(costs.pipeline, "wall") / least(of, "wall")).toFixed(2),
  ]
  const early = Math.min(...soon.map((one) => one.playable / one.ready))
  yield* Console.log("copying")
  const copying = yield* Copying.run(folder, seconds, rounds)
  yield* Console.log("first playable")
  const first = yield* FirstPlayable.run(folder)
  yield* Console.log("fairness")
  const fairness = yield* Fairness.run(folder)
  yield* Console.log("chunks")
  const chunks = yield* Chunks.run(folder, seconds * 4, rounds, "1920x1080")
  const body = [
    `Source: 1080p30, ${seconds} s, ${((bytes.byteLength * 8) / seconds / 1e6).toFixed(1)} Mb/s (mandelbrot, noise, tone). Made: ${plan.renditions
      .map(({ name, kilobits }) => `${name} at ${kilobits} kb/s`)
      .join(
        ", ",
      )}, sound, 5 thumbnails, poster, storyboard. ${programs.version.split(" Copyright")[0]}. The least of ${rounds} rounds.`,
    "",
    Results.table([
      ["case", "CPU s", "wall s", "pipeline's CPU in parts of it", "and its wall"],
      row("pipeline (download, probe, ffmpeg, uploads, playlists, state)", costs.pipeline),
      row("(a) the same ffmpeg command by hand", costs.alike),
      row("(b) one ffmpeg per rendition, in sequence", costs.apart),
    ]),
    "",
    "Aim: CPU at most 1.03 and wall at most 1.05 of (a), and clearly below (b), about 0.72.",
    "",
    `First playable (every rung's first segment, told): ${soon.map((one) => `${one.playable.toFixed(1)} of ${one.ready.toFixed(1)} s`).join(", ")}; the least is ${early.toFixed(2)} of the time to ready. Aim: at most 0.45 on a source of 12 s.`,
    "",
    "### First playable of a film",
    "",
    first,
    "",
    "### Copying",
    "",
    copying,
    "",
    "### Clips beside a film",
    "",
    fairness,
    "",
    "### Films in chunks",
    "",
    chunks,
  ].join("\n")
  yield* Console.log(body)
  yield* Results.write("media", "npm run bench:media", body)
}).pipe(Effect.scoped)

const Pipeline = Transcode.layer({ bucket: "media", sourceBuckets: ["media"] }).pipe(
  Layer.provideMerge(WorkFolder.layer()),
  Layer.provideMerge(
    Layer.mergeAll(
      MemoryStorage.layer,
      Ledger.layer.pipe(Layer.provideMerge(MemoryState.layer)),
      MemoryBus.layer,
      Layer.succeed(PlaybackUrls, { urlFor: ({ key }) => Effect.succeed(`http://bench.invalid/${key}`) }),
    ),
  ),
  Layer.provideMerge(FfmpegPrograms.layer()),
  Layer.provideMerge(NodeServices.layer),
)

bench.pipe(Effect.provide(Pipeline), NodeRuntime.runMain)
