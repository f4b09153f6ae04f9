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
import type { EventOf } from "@armoricore/domain/Events"
import * as FfmpegCommand from "@armoricore/media/FfmpegCommand"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { defaultLimits, probe } from "@armoricore/media/Probe"
import { planOf, Transcode } from "@armoricore/media/Transcode"
import { WorkFolder } from "@armoricore/ffmpeg/WorkFolder"
import * as MemoryState from "@armoricore/state/memory/MemoryState"
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/Playback"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem, Layer, Path } from "effect"
import { ChildProcess } from "effect/process"
import * as Results from "./Results.ts"

const rounds = Number(process.argv[2] ?? 2)
const seconds = Number(process.argv[3] ?? 12)

interface Cost {
  readonly cpu: number
  readonly wall: number
}

/** Ticks a second of `/proc/self/stat`; Linux has had 100 on every platform that Node runs on. */
const ticks = 100

/** CPU seconds so far: this process, and its children that ended. */
const cpuSeconds = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const stat = yield* fs.readFileString("/proc/self/stat")
  // Behind the command's name, which may hold spaces: utime, stime, cutime, cstime are the fields 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) / ticks
})

const measured = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const before = yield* cpuSeconds
    const started = performance.now()
    yield* effect
    return { cpu: (yield* cpuSeconds) - before, wall: (performance.now() - started) / 1000 } satisfies Cost
  })

const byHand = Effect.fnUntraced(function* (args: ReadonlyArray<string>, folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const programs = yield* FfmpegPrograms
  const output = yield* fs.makeTempDirectory({ directory: folder })
  for (const name of FfmpegCommand.pictureFolders) yield* fs.makeDirectory(path.join(output, name))
  const child = yield* ChildProcess.make(programs.ffmpeg, args, {
    cwd: output,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
    forceKillAfter: "1 second",
  })
  const code = yield* child.exitCode
  if (code !== 0) return yield* Effect.die(new Error(`ffmpeg ended with code ${code}`))
  yield* fs.remove(output, { recursive: true })
}, Effect.scoped)

const uploaded = (round: number): EventOf<"media.uploaded"> => ({
  event_type: "media.uploaded",
  event_id: `00000000-0000-4000-8000-${String(round).padStart(12, "0")}`,
  timestamp: new Date().toISOString(),
  source: "php-backend",
  payload: { media_id: `bench-${round}`, user_id: "bench", file_path: "s3://media/source.mp4" },
})

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
  for (let round = 1; round <= rounds; round++) {
    costs.pipeline.push(yield* measured(transcode(uploaded(round), { token: 1 })))
    costs.alike.push(yield* measured(byHand(FfmpegCommand.args(plan, source), folder)))
    costs.apart.push(yield* measured(Effect.forEach(single, (args) => byHand(args, folder), { discard: true })))
    yield* Console.log(`round ${round} of ${rounds} done`)
  }

  const least = (of: ReadonlyArray<Cost>, figure: keyof Cost) => Math.min(...of.map((cost) => cost[figure]))
  const row = (name: string, of: ReadonlyArray<Cost>) => [
    name,
    least(of, "cpu").toFixed(1),
    least(of, "wall").toFixed(1),
    (least(costs.pipeline, "cpu") / least(of, "cpu")).toFixed(2),
  ]
  const body = [
    `Source: 1080p30, ${seconds} s, ${((bytes.byteLength * 8) / seconds / 1e6).toFixed(1)} Mb/s (mandelbrot, noise, tone). Made: ${plan.renditions
      .map(({ name, kilobits }) => `${name} at ${kilobits} kb/s`)
      .join(
        ", ",
      )}, sound, 5 thumbnails, poster, storyboard. ${programs.version.split(" Copyright")[0]}. The least of ${rounds} rounds.`,
    "",
    Results.table([
      ["case", "CPU s", "wall s", "pipeline's CPU in parts of it"],
      row("pipeline (download, probe, ffmpeg, uploads, playlists, state)", costs.pipeline),
      row("(a) the same ffmpeg command by hand", costs.alike),
      row("(b) one ffmpeg per rendition, in sequence", costs.apart),
    ]),
    "",
    "Aim: at most 1.05 of (a), and clearly below (b), about 0.72.",
  ].join("\n")
  yield* Console.log(body)
  yield* Results.write("media", "npm run bench:media", body)
}).pipe(Effect.scoped)

const Pipeline = Transcode.layer({ bucket: "media", sourceBuckets: ["media"] }).pipe(
  Layer.provide(WorkFolder.layer()),
  Layer.provideMerge(
    Layer.mergeAll(
      MemoryStorage.layer,
      MemoryState.layer,
      Layer.succeed(PlaybackUrls, { urlFor: ({ key }) => Effect.succeed(`http://bench.invalid/${key}`) }),
    ),
  ),
  Layer.provideMerge(FfmpegPrograms.layer()),
  Layer.provideMerge(NodeServices.layer),
)

bench.pipe(Effect.provide(Pipeline), NodeRuntime.runMain)
