/** What making a stream costs: CPU seconds of this process and its children, and ffmpeg by hand for comparison. */
import * as FfmpegCommand from "@armoricore/media/FfmpegCommand"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import type { EventOf } from "@armoricore/domain/Events"
import { Effect, FileSystem, Path } from "effect"
import { ChildProcess } from "effect/process"

export interface Cost {
  readonly cpu: number
  readonly wall: number
}

/** Ticks a second of `/proc/self/stat`; Linux has had 100 on every platform that Node runs on. */
const ticks = 100

/** CPU seconds so far: this process, and its children that ended. */
export const cpuSeconds = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const stat = yield* fs.readFileString("/proc/self/stat")
  // Behind the command's name, which may hold spaces: utime, stime, cutime, cstime are the fields 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) / ticks
})

export const measured = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const before = yield* cpuSeconds
    const started = performance.now()
    yield* effect
    return { cpu: (yield* cpuSeconds) - before, wall: (performance.now() - started) / 1000 } satisfies Cost
  })

export const byHand = Effect.fnUntraced(function* (args: ReadonlyArray<string>, folder: string) {
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

export const least = (of: ReadonlyArray<Cost>, figure: keyof Cost): number =>
  Math.min(...of.map((cost) => cost[figure]))

let uploads = 0

/** A new upload of what lies under this key. */
export const uploaded = (key = "source.mp4", mediaId = "bench"): EventOf<"media.uploaded"> => {
  const id = String(++uploads).padStart(12, "0")
  return {
    event_type: "media.uploaded",
    event_id: `00000000-0000-4000-8000-${id}`,
    timestamp: new Date().toISOString(),
    source: "php-backend",
    payload: { media_id: `${mediaId}-${uploads}`, user_id: "bench", file_path: `s3://media/${key}` },
  }
}
