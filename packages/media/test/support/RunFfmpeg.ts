/** Runs ffmpeg or ffprobe to its end, to check the output of the pipeline. */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { Effect, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { npmPrograms } from "./NpmPrograms.ts"

export const run = Effect.fnUntraced(function* (program: "ffmpeg" | "ffprobe", args: ReadonlyArray<string>) {
  const programs = yield* FfmpegPrograms
  const child = yield* ChildProcess.make(npmPrograms[program] ?? programs[program], args, {
    stdin: "ignore",
    forceKillAfter: "1 second",
  })
  const [code, stdout, stderr] = yield* Effect.all(
    [
      child.exitCode,
      Stream.mkString(Stream.decodeText(child.stdout)),
      Stream.mkString(Stream.decodeText(child.stderr)),
    ],
    { concurrency: 3 },
  )
  return { code, stdout, stderr }
}, Effect.scoped)

/** Runs ffmpeg and returns its output as bytes. */
export const ffmpegOutput = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const programs = yield* FfmpegPrograms
  const child = yield* ChildProcess.make(npmPrograms.ffmpeg ?? programs.ffmpeg, ["-v", "error", "-nostdin", ...args], {
    stdin: "ignore",
    forceKillAfter: "1 second",
  })
  const [code, chunks, stderr] = yield* Effect.all(
    [child.exitCode, Stream.runCollect(child.stdout), Stream.mkString(Stream.decodeText(child.stderr))],
    { concurrency: 3 },
  )
  if (code !== 0) return yield* Effect.die(new Error(`ffmpeg ${args.join(" ")}: ${stderr}`))
  return Buffer.concat(chunks)
}, Effect.scoped)
