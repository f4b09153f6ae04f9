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

/** The mastering display of `hdrVideo`, as x265 takes it. */
const masteringDisplay = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"

/** Encodes as HEVC with 10 bit: HDR10 with its metadata, or HLG. */
export const hdrVideo = (transfer: "smpte2084" | "arib-std-b67"): ReadonlyArray<string> => [
  "-vf",
  `format=yuv420p10,setparams=range=limited:color_primaries=bt2020:color_trc=${transfer}:colorspace=bt2020nc`,
  ..."-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params".split(" "),
  `log-level=error${transfer === "smpte2084" ? `:hdr10=1:master-display=${masteringDisplay}:max-cll=1000,400` : ""}`,
]
