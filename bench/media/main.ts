/**
 * The overhead of the media pipeline over ffmpeg itself. Three ways of making the same stream with the same images,
 * by turns in one run:
 *
 * - pipeline: download, probe, ffmpeg, uploads, playlists, state record;
 * - (a) the same ffmpeg command by hand;
 * - (b) one ffmpeg for each rendition, one after the other.
 *
 * CPU seconds are those of this process and of all its children that ended (`/proc/self/stat`), so nothing is left
 * out. Usage: `npm run bench:media [-- rounds [seconds]]`. `npm run bench:media -- long` measures only three
 * minutes, `npm run bench:media -- codecs` only further codecs and protection.
 */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { defaultInputLimits, probe } from "@armoricore/media/probe/Probe"
import { Quota } from "@armoricore/media/pipeline/Quota"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import { planEncoding, resolve } from "@armoricore/media/pipeline/TranscodeOptions"
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir"
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus"
import { Ledger } from "@armoricore/worker/ledger/Ledger"
import * as MemoryState from "@armoricore/state/memory/MemoryState"
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, FileSystem, Layer, Path } from "effect"
import * as Codecs from "./Codecs.ts"
import * as LongClip from "./LongClip.ts"
import * as ChunkedEncode from "./ChunkedEncode.ts"
import * as Passthrough from "./Passthrough.ts"
import * as Fairness from "./Fairness.ts"
import * as TimeToPlayable from "./TimeToPlayable.ts"
import { type CpuCost, measure } from "../support/CpuCost.ts"
import { runFfmpeg, runPlan, minCost, uploadedEvent } from "./FfmpegBaseline.ts"
import * as Results from "../Results.ts"

const numberAt = (at: number, usual: number): number => {
  const given = Number(process.argv[at] ?? usual)
  if (Number.isInteger(given) && given > 0) return given
  throw new Error(`"${process.argv[at]}" is no number; npm run bench:media [-- rounds [seconds]]`)
}
const isLongOnly = process.argv[2] === "long"
const isCodecsOnly = process.argv[2] === "codecs"
const rounds = isLongOnly || isCodecsOnly ? 1 : numberAt(2, 2)
const seconds = numberAt(3, 12)

const bench = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const storage = yield* ObjectStorage
  const programs = yield* FfmpegPrograms
  const { processUpload } = yield* UploadPipeline
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-bench-" })
  const source = path.join(folder, "source.mp4")

  yield* Console.log(`making a source of ${seconds} s`)
  const noise = "noise=alls=12:allf=t,format=yuv420p"
  yield* runFfmpeg(
    [
      ...`-v error -f lavfi -i mandelbrot=s=1920x1080:r=30 -f lavfi -i sine=440 -t ${seconds} -vf ${noise}`.split(" "),
      ...`-c:v libx264 -preset veryfast -b:v 18M -maxrate 20M -bufsize 20M -c:a aac ${source}`.split(" "),
    ],
    folder,
  )
  const bytes = yield* fs.readFile(source)
  yield* storage.put<never, never>({ bucket: "media", key: "source.mp4" }, bytes, { contentType: "video/mp4" })

  const info = yield* probe("source.mp4", bytes.byteLength, folder, defaultInputLimits)
  if (info.video === undefined) return yield* Effect.die(new Error("the source has no picture"))
  const plan = planEncoding(resolve({ bucket: "media", sourceBuckets: [] }), info, programs.toneMapping)
  const last = plan.renditions.length - 1
  const single = plan.renditions.map((rendition, index) =>
    plan.with({
      renditions: [rendition],
      info: index === 0 ? info : { ...info, audioTracks: [] },
      thumbnails: index === last ? plan.thumbnails : 0,
      storyboard: index === last ? plan.storyboard : undefined,
    }),
  )

  const costs: Record<"pipeline" | "alike" | "apart", Array<CpuCost>> = { pipeline: [], alike: [], apart: [] }
  /** Seconds until the beginning could be played, and until all was ready. */
  const soon: Array<{ readonly playable: number; readonly ready: number }> = []
  for (let round = 1; round <= rounds; round++) {
    const started = performance.now()
    let playable = Number.NaN
    const announce = () => Effect.sync(() => void (playable = (performance.now() - started) / 1000))
    const cost = yield* measure(processUpload(uploadedEvent(), { fencingToken: 1 }, undefined, announce))
    costs.pipeline.push(cost)
    soon.push({ playable, ready: cost.wall })
    costs.alike.push(yield* measure(runPlan(plan, source, folder)))
    costs.apart.push(yield* measure(Effect.forEach(single, (one) => runPlan(one, source, folder), { discard: true })))
    yield* Console.log(`round ${round} of ${rounds} done`)
  }

  const row = (name: string, of: ReadonlyArray<CpuCost>) => [
    name,
    minCost(of, "cpu").toFixed(1),
    minCost(of, "wall").toFixed(1),
    (minCost(costs.pipeline, "cpu") / minCost(of, "cpu")).toFixed(2),
    (minCost(costs.pipeline, "wall") / minCost(of, "wall")).toFixed(2),
  ]
  const early = Math.min(...soon.map((one) => one.playable / one.ready))
  yield* Console.log("copying")
  const copying = yield* Passthrough.run(folder, seconds, rounds)
  yield* Console.log("first playable")
  const first = yield* TimeToPlayable.run(folder)
  yield* Console.log("fairness")
  const fairness = yield* Fairness.run(folder)
  yield* Console.log("chunks")
  const chunks = yield* ChunkedEncode.run(folder, seconds * 4, rounds, "1920x1080")
  yield* Console.log("codecs and protection")
  const codecs = yield* Codecs.run(folder, 12, rounds)
  const body = [
    `Source: 1080p30, ${seconds} s, ${((bytes.byteLength * 8) / seconds / 1e6).toFixed(1)} Mb/s (mandelbrot, noise, tone). Made: ${plan.renditions
      .map(({ name, kilobits }) => `${name} at ${kilobits} kb/s`)
      .join(
        ", ",
      )}, sound, 5 thumbnails, poster, storyboard. ${programs.version.split(" Copyright")[0]}. The least of ${rounds} rounds.`,
    "",
    Results.markdownTable([
      ["case", "CPU s", "wall s", "pipeline's CPU in parts of it", "and its wall"],
      row("pipeline (download, probe, ffmpeg, uploads, playlists, state)", costs.pipeline),
      row("(a) the same ffmpeg command by hand", costs.alike),
      row("(b) one ffmpeg per rendition, in sequence", costs.apart),
    ]),
    "",
    "Aim: CPU at most 1.03 and wall at most 1.05 of (a), and clearly below (b), about 0.72.",
    "",
    `First playable (every rung's first segment, published): ${soon.map((one) => `${one.playable.toFixed(1)} of ${one.ready.toFixed(1)} s`).join(", ")}; the least is ${early.toFixed(2)} of the time to ready. Aim: at most 0.45 on a source of 12 s.`,
    "",
    "### First playable of a long clip",
    "",
    first,
    "",
    "### Further codecs and protection",
    "",
    codecs,
    "",
    "### Copying",
    "",
    copying,
    "",
    "### Clips beside a long clip",
    "",
    fairness,
    "",
    "### Long clips in chunks",
    "",
    chunks,
  ].join("\n")
  yield* Console.log(body)
  yield* Results.writeSection("media", "npm run bench:media", body)
  yield* LongClip.run
}).pipe(Effect.scoped)

const Pipeline = UploadPipeline.layer({ bucket: "media", sourceBuckets: ["media"] }).pipe(
  Layer.provideMerge(Quota.layerNoop),
  Layer.provideMerge(ScratchDir.layer()),
  Layer.provideMerge(
    Layer.mergeAll(
      MemoryStorage.layer,
      Ledger.layer.pipe(Layer.provideMerge(MemoryState.layer)),
      MemoryBus.layer,
      Layer.succeed(PlaybackUrls, {
        keysFor: () => Effect.succeed({ url: "http://keys.invalid/keys", relative: "../keys" }),
        urlFor: ({ key }) => Effect.succeed(`http://bench.invalid/${key}`),
      }),
    ),
  ),
  Layer.provideMerge(FfmpegPrograms.layer()),
  Layer.provideMerge(NodeServices.layer),
)

const codecsOnly = Effect.gen(function* () {
  const folder = yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())
  yield* Console.log(yield* Codecs.run(folder, 12, 1))
}).pipe(Effect.scoped)

const program = isLongOnly ? LongClip.run : isCodecsOnly ? codecsOnly : bench
program.pipe(Effect.provide(Pipeline), NodeRuntime.runMain)
