/** Arguments for short clips from ffmpeg's generators, so that tests need no recordings. */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { Effect, Stream } from "effect"
import { ChildProcess } from "effect/process"

/** Runs ffmpeg to its end; dies on any error output. */
export const ffmpeg = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const programs = yield* FfmpegPrograms
  const child = yield* ChildProcess.make(programs.ffmpeg, ["-v", "error", "-nostdin", "-y", ...args], {
    stdin: "ignore",
    stdout: "ignore",
    forceKillAfter: "1 second",
  })
  const [code, stderr] = yield* Effect.all([child.exitCode, Stream.mkString(Stream.decodeText(child.stderr))], {
    concurrency: 2,
  })
  if (code !== 0 || stderr !== "") return yield* Effect.die(new Error(`ffmpeg ${args.join(" ")}: ${code} ${stderr}`))
}, Effect.scoped)

export interface VideoOptions {
  readonly size?: string
  readonly rate?: string
  readonly seconds?: number
}

export const testVideo = ({ size = "640x360", rate = "30", seconds = 5 }: VideoOptions = {}): ReadonlyArray<string> => [
  "-f",
  "lavfi",
  "-i",
  `testsrc2=s=${size}:r=${rate}:d=${seconds}`,
]

export const tone = (seconds = 5): ReadonlyArray<string> => ["-f", "lavfi", "-i", `sine=440:d=${seconds}`]

export const silence = (seconds = 5): ReadonlyArray<string> => ["-f", "lavfi", "-t", String(seconds), "-i", "anullsrc"]

export const h264: ReadonlyArray<string> = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]

/** An input with a SubRip file. */
export const subtitles = (srt: string): ReadonlyArray<string> => [
  "-f",
  "srt",
  "-i",
  `data:text/plain;base64,${Buffer.from(srt).toString("base64")}`,
]
