/**
 * Runs ffmpeg and ffprobe as scoped child processes.
 *
 * Concurrency hazards and their solutions:
 * - The fiber is interrupted (shutdown, lost lease): the scope sends SIGTERM to the child's process group, and SIGKILL
 *   after three seconds.
 * - This process is killed with SIGKILL: ffmpeg would continue, because it ignores the end of stdin and SIGPIPE. On Linux
 *   the kernel kills it (`setpriv --pdeathsig`); elsewhere a shell does that waits on a pipe from this process.
 * - A full pipe blocks the child: stdout and stderr are both read to their end. Only the tail of stderr is returned.
 * - ffmpeg hangs: it is ended if its progress stops for `stallTimeout`, or after `timeout` in all.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Cause, Clock, Duration, Effect, type PlatformError, Ref, Stream } from "effect"
import { trackProcess } from "./FfmpegMetrics.ts"
import { FfmpegPrograms } from "./FfmpegPrograms.ts"
import { collect, type ProcessLimits, lines, spawn, tailOf } from "./SupervisedProcess.ts"

/** The exit code of a child and the tail of its stderr. */
export interface ProcessResult {
  readonly code: number
  readonly stderr: string
}

export interface RunOptions extends ProcessLimits {
  readonly args: ReadonlyArray<string>
  /** The working folder, for relative output names. */
  readonly cwd: string
  /** Called about twice a second with the seconds of output so far. */
  readonly onProgress: (seconds: number) => Effect.Effect<void>
  readonly stallTimeout: Duration.Duration
  readonly timeout: Duration.Duration
}

/** Runs ffmpeg to its end. Fails only with a `TransientError`: stalled, over its timeout, or killed from outside. */
export const run = Effect.fn("Ffmpeg.run")(function* (options: RunOptions) {
  const programs = yield* FfmpegPrograms
  yield* trackProcess(programs.ffmpeg)
  const child = yield* spawn(
    programs.parentDeathSignal,
    programs.ffmpeg,
    ["-progress", "pipe:1", "-stats_period", "0.5", ...options.args],
    options.cwd,
    options,
  ).pipe(Effect.mapError(processError))
  const lastProgress = yield* Ref.make({ position: "", at: yield* Clock.currentTimeMillis })
  const progress = child.stdout.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach(
      Effect.fnUntraced(function* (line) {
        const [key = "", value = ""] = line.split("=", 2)
        if (key !== "out_time_us" && key !== "frame") return
        const at = yield* Clock.currentTimeMillis
        const position = `${key}=${value}`
        const last = yield* Ref.get(lastProgress)
        if (!last.position.includes(position)) {
          const other = last.position.split(" ").find((part) => part !== "" && !part.startsWith(`${key}=`)) ?? ""
          yield* Ref.set(lastProgress, { position: `${other} ${position}`, at })
        }
        if (key === "out_time_us" && /^[0-9]+$/.test(value)) yield* options.onProgress(Number(value) / 1e6)
      }),
    ),
  )
  const result = Effect.all([child.exitCode, tailOf(child.stderr), progress], { concurrency: "unbounded" }).pipe(
    Effect.map(([code, stderr]): ProcessResult => ({ code, stderr })),
    Effect.mapError(processError),
  )
  const started = yield* Clock.currentTimeMillis
  const watchdog = Effect.gen(function* () {
    yield* Effect.sleep("500 millis")
    const now = yield* Clock.currentTimeMillis
    if (now - (yield* Ref.get(lastProgress)).at > Duration.toMillis(options.stallTimeout)) {
      return yield* new TransientError({
        dependency: "ffmpeg",
        code: "stalled",
        message: `ffmpeg made no progress for ${Duration.format(options.stallTimeout)} and was stopped`,
      })
    }
    if (now - started > Duration.toMillis(options.timeout)) {
      return yield* new TransientError({
        dependency: "ffmpeg",
        code: "timeout",
        message: `ffmpeg did not finish within ${Duration.format(options.timeout)} and was stopped`,
      })
    }
  })
  return yield* Effect.raceFirst(result, Effect.forever(watchdog))
}, Effect.scoped)

/** Runs ffprobe for one minute at most and returns its output (at most 8 MB). */
export const inspect = Effect.fn("Ffmpeg.inspect")(function* (args: ReadonlyArray<string>, cwd: string) {
  const programs = yield* FfmpegPrograms
  return yield* withTimeout(collect(programs.parentDeathSignal, programs.ffprobe, args, cwd), "60 seconds")
})

/** Runs an ffprobe that reads the whole file, for ten minutes at most, and calls `onLine` with each line of its output. */
export const inspectLines = Effect.fn("Ffmpeg.inspectLines")(function* (
  args: ReadonlyArray<string>,
  cwd: string,
  onLine: (line: string) => void,
) {
  const programs = yield* FfmpegPrograms
  return yield* withTimeout(lines(programs.parentDeathSignal, programs.ffprobe, args, cwd, onLine), "10 minutes")
})

const withTimeout = <A, E extends { readonly message: string }, R>(
  probing: Effect.Effect<A, E, R>,
  timeout: Duration.Input,
): Effect.Effect<A, TransientError, R> =>
  probing.pipe(
    Effect.timeout(timeout),
    Effect.mapError(
      (cause) =>
        new TransientError({
          dependency: "ffprobe",
          code: Cause.isTimeoutError(cause) ? "timeout" : "unavailable",
          message: `ffprobe did not finish: ${cause.message}`,
          cause,
        }),
    ),
  )

const processError = (cause: PlatformError.PlatformError) =>
  new TransientError({
    dependency: "ffmpeg",
    code: "killed",
    message: `ffmpeg did not finish: ${cause.message}`,
    cause,
  })
