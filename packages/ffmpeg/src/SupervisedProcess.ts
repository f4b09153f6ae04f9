/**
 * A child process that ends with us: the scope ends it with SIGTERM to its own process group (SIGKILL after three
 * seconds), and where this process is killed with SIGKILL the leash does.
 */
import { Effect, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { trackProcess } from "./FfmpegMetrics.ts"
import type { ParentDeathSignal } from "./FfmpegPrograms.ts"

/** Runs a program to its end; what it prints is kept, at most `limit` bytes of it (default 8 MB). */
export const collect = Effect.fn("LeashedChild.collect")(function* (
  parentDeathSignal: ParentDeathSignal,
  program: string,
  args: ReadonlyArray<string>,
  cwd: string,
  maxOutputBytes = 8_000_000,
) {
  yield* trackProcess(program)
  const child = yield* spawn(parentDeathSignal, program, args, cwd)
  const [code, stderr, stdout] = yield* Effect.all(
    [
      child.exitCode,
      tailOf(child.stderr),
      Stream.mkString(Stream.decodeText(Stream.limitBytes(child.stdout, maxOutputBytes, () => Stream.empty))),
    ],
    { concurrency: "unbounded" },
  )
  return { code: Number(code), stderr, stdout }
}, Effect.scoped)

/** Runs a program to its end, and gives away each line that it prints, however many they are. */
export const lines = Effect.fn("LeashedChild.lines")(function* (
  parentDeathSignal: ParentDeathSignal,
  program: string,
  args: ReadonlyArray<string>,
  cwd: string,
  onLine: (line: string) => void,
) {
  yield* trackProcess(program)
  const child = yield* spawn(parentDeathSignal, program, args, cwd)
  const taken = child.stdout.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEachArray((some) => Effect.sync(() => some.forEach(onLine))),
  )
  const [code, stderr] = yield* Effect.all([child.exitCode, tailOf(child.stderr), taken], { concurrency: "unbounded" })
  return { code: Number(code), stderr }
}, Effect.scoped)

export interface ProcessLimits {
  /** The address space that it may use, in bytes; where the system cannot limit it, nothing is limited. */
  readonly memoryLimit?: number | undefined
  /** Others go first where the processors do not suffice for all; where the system knows no such thing, none does. */
  readonly background?: boolean | undefined
}

/** The child, in the scope; both of its pipes must be drained. */
export const spawn = (
  parentDeathSignal: ParentDeathSignal,
  name: string,
  programArgs: ReadonlyArray<string>,
  cwd: string,
  limits: ProcessLimits = {},
) => {
  const { background = false, memoryLimit } = limits
  const limited = (memoryLimit !== undefined || background) && parentDeathSignal !== "none"
  const program = limited ? "sh" : name
  const script = [
    ...(memoryLimit === undefined ? [] : [`ulimit -v ${Math.ceil(memoryLimit / 1024)} 2>/dev/null`]),
    ...(background ? [lowPriorityScript] : []),
    'exec "$@"',
  ].join("; ")
  const args = limited ? ["-c", script, "sh", name, ...programArgs] : programArgs
  const options = {
    cwd,
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
    killSignal: "SIGTERM",
    forceKillAfter: "3 seconds",
    env,
    extendEnv: true,
  } as const
  switch (parentDeathSignal) {
    case "setpriv":
      return ChildProcess.make("setpriv", ["--pdeathsig", "KILL", "--", program, ...args], {
        ...options,
        stdin: "ignore",
      })
    case "watcher":
      // Our end of stdin stays open as long as we live; `read` returns when it closes, however we ended.
      return ChildProcess.make("sh", ["-c", watchdogScript, "sh", program, ...args], { ...options, stdin: "pipe" })
    case "none":
      return ChildProcess.make(program, args, { ...options, stdin: "ignore" })
  }
}

/** Linux weighs sessions against each other before processes, where it groups them by themselves. */
const lowPriorityScript =
  '{ echo 10 >/proc/self/autogroup; } 2>/dev/null; command -v nice >/dev/null && set -- nice -n 10 "$@"'

/**
 * A statically linked ffprobe crashes when it loads the system's character sets, as it does for the channel names in a
 * broadcast's transport stream; where it finds none it leaves the names as they are.
 */
const env = { GCONV_PATH: "/nonexistent" }

const watchdogScript = `exec 3<&0
"$@" </dev/null 3<&- & child=$!
( read -r _ <&3; kill -KILL $child ) >/dev/null 2>&1 & watch=$!
wait $child; code=$?; exec 2>/dev/null
kill $watch; wait $watch
exit $code`

const tailBytes = 4_000

/** The last 4 kB of text; drains the pipe. */
export const tailOf = <E>(stderr: Stream.Stream<Uint8Array, E>) =>
  Stream.runFold(
    Stream.decodeText(stderr),
    () => "",
    (tail, text) => (tail + text).slice(-tailBytes),
  )
