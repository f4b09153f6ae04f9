/**
 * Runs ffmpeg and ffprobe as scoped child processes.
 *
 * Concurrency hazards, each with its answer:
 * - The fiber is interrupted (shutdown, lost lease): the scope sends SIGTERM to the child's own process group, SIGKILL
 *   after three seconds.
 * - This process is killed with SIGKILL: ffmpeg ignores the end of stdin and SIGPIPE, so it would go on. On Linux the
 *   kernel kills it (`setpriv --pdeathsig`); elsewhere a shell that waits on a pipe from us does.
 * - A full pipe blocks the child: stdout and stderr are both drained to their end, stderr keeps only its tail.
 * - ffmpeg hangs: progress that does not move for `stuckAfter` ends it, and so does `limit` in all.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Cause, Clock, Duration, Effect, type PlatformError, Ref, Stream } from "effect"
import { trackProcess } from "./FfmpegMetrics.ts"
import { FfmpegPrograms } from "./FfmpegPrograms.ts"
import { collect, type ProcessLimits, lines, spawn, tailOf } from "./SupervisedProcess.ts"

/** How a child ended: its exit code, and the end of what it wrote to stderr. */
export interface ProcessResult {
  readonly code: number
  readonly stderr: string
}

export interface RunOptions extends ProcessLimits {
  readonly args: ReadonlyArray<string>
  /** The working folder: relative output names land here. */
  readonly cwd: string
  /** Called with the seconds of output made so far, about twice a second. */
  readonly onProgress: (seconds: number) => Effect.Effect<void>
  readonly stallTimeout: Duration.Duration
  readonly timeout: Duration.Duration
}

/** Runs ffmpeg to its end. Fails only transiently: stuck, over its limit, or killed by someone else. */
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
  const moved = yield* Ref.make({ position: "", at: yield* Clock.currentTimeMillis })
  const progress = child.stdout.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach(
      Effect.fnUntraced(function* (line) {
        const [key = "", value = ""] = line.split("=", 2)
        if (key !== "out_time_us" && key !== "frame") return
        const at = yield* Clock.currentTimeMillis
        const position = `${key}=${value}`
        const last = yield* Ref.get(moved)
        if (!last.position.includes(position)) {
          const other = last.position.split(" ").find((part) => part !== "" && !part.startsWith(`${key}=`)) ?? ""
          yield* Ref.set(moved, { position: `${other} ${position}`, at })
        }
        if (key === "out_time_us" && /^[0-9]+$/.test(value)) yield* options.onProgress(Number(value) / 1e6)
      }),
    ),
  )
  const ended = Effect.all([child.exitCode, tailOf(child.stderr), progress], { concurrency: "unbounded" }).pipe(
    Effect.map(([code, stderr]): ProcessResult => ({ code, stderr })),
    Effect.mapError(processError),
  )
  const started = yield* Clock.currentTimeMillis
  const watch = Effect.gen(function* () {
    yield* Effect.sleep("500 millis")
    const now = yield* Clock.currentTimeMillis
    if (now - (yield* Ref.get(moved)).at > Duration.toMillis(options.stallTimeout)) {
      return yield* new TransientError({
        dependency: "ffmpeg",
        code: "stalled",
        message: `ffmpeg made no progress for ${Duration.format(options.stallTimeout)} and was ended`,
      })
    }
    if (now - started > Duration.toMillis(options.timeout)) {
      return yield* new TransientError({
        dependency: "ffmpeg",
        code: "timeout",
        message: `ffmpeg was not done after ${Duration.format(options.timeout)} and was ended`,
      })
    }
  })
  return yield* Effect.raceFirst(ended, Effect.forever(watch))
}, Effect.scoped)

/** Runs ffprobe for a minute at most and returns what it printed (at most 8 MB). */
export const inspect = Effect.fn("Ffmpeg.inspect")(function* (args: ReadonlyArray<string>, cwd: string) {
  const programs = yield* FfmpegPrograms
  return yield* withTimeout(collect(programs.parentDeathSignal, programs.ffprobe, args, cwd), "60 seconds")
})

/** Runs ffprobe for ten minutes at most, as one that reads a whole file takes, and gives away each line that it prints. */
export const inspectLines = Effect.fn("Ffmpeg.inspectLines")(function* (
  args: ReadonlyArray<string>,
  cwd: string,
  onLine: (line: string) => void,
) {
  const programs = yield* FfmpegPrograms
  return yield* withTimeout(lines(programs.parentDeathSignal, programs.ffprobe, args, cwd, onLine), "10 minutes")
})

const withTimeout = <A, E extends { readonly message: string }, R>(
  answer: Effect.Effect<A, E, R>,
  timeout: Duration.Input,
): Effect.Effect<A, TransientError, R> =>
  answer.pipe(
    Effect.timeout(timeout),
    Effect.mapError(
      (cause) =>
        new TransientError({
          dependency: "ffprobe",
          code: Cause.isTimeoutError(cause) ? "timeout" : "unavailable",
          message: `ffprobe did not answer: ${cause.message}`,
          cause,
        }),
    ),
  )

const processError = (cause: PlatformError.PlatformError) =>
  new TransientError({
    dependency: "ffmpeg",
    code: "killed",
    message: `ffmpeg did not run to its end: ${cause.message}`,
    cause,
  })
