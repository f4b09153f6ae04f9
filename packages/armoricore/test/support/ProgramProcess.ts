/** The program as a child process. */
import { Deferred, Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as BundledProgram from "./BundledProgram.ts"

/** A folder that is removed when the scope closes. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "armoricore-test-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 })),
)

/** Only these variables of the developer's environment reach the program. */
const environment = (own: Readonly<Record<string, string>>): NodeJS.ProcessEnv => {
  const inherited = ["PATH", "HOME", "TMPDIR", "CI", "NODE_COMPILE_CACHE"] as const
  return {
    ...Object.fromEntries(
      inherited.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
    ),
    ...own,
  }
}

export interface ExitResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface ProgramProcess {
  readonly child: ChildProcess
  /** stdout and stderr so far. */
  readonly output: () => string
  /** The first match of the pattern in the output; fails if the program exits before. */
  readonly waitForOutput: (pattern: RegExp) => Effect.Effect<RegExpExecArray, Error>
  readonly exited: Effect.Effect<ExitResult>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
}

/** Starts a command, by default of this checkout (`program`). Ends it when the scope closes. */
export const launch = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  program?: string,
): Effect.Effect<ProgramProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.map(
      Effect.promise(() => (program === undefined ? BundledProgram.path() : Promise.resolve(program))),
      (path) => start(args, env, path),
    ),
    ({ child, exited, signal }) =>
      // SIGTERM first, so that the program removes its temporary files.
      child.exitCode === null && child.signalCode === null
        ? signal("SIGTERM").pipe(
            Effect.andThen(exited),
            Effect.timeoutOrElse({ duration: "15 seconds", orElse: () => Effect.andThen(signal("SIGKILL"), exited) }),
          )
        : exited,
  )

const start = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>, program: string): ProgramProcess => {
  const child = spawn(process.execPath, [program, ...args], {
    env: environment(env),
    stdio: ["ignore", "pipe", "pipe"],
  })
  let stdout = ""
  let stderr = ""
  const matchers = new Set<() => void>()
  const onOutput = () => {
    for (const match of matchers) match()
  }
  child.stdout.on("data", (chunk) => {
    stdout += String(chunk)
    onOutput()
  })
  child.stderr.on("data", (chunk) => {
    stderr += String(chunk)
    onOutput()
  })
  const end = Deferred.makeUnsafe<ExitResult>()
  child.on("close", (code) => {
    Deferred.doneUnsafe(end, Effect.succeed({ code, stdout, stderr }))
    onOutput()
  })
  return {
    child,
    output: () => `${stdout}\n${stderr}`,
    waitForOutput: (pattern) =>
      Effect.callback<RegExpExecArray, Error>((resume) => {
        const tryMatch = () => {
          const match = pattern.exec(`${stdout}\n${stderr}`)
          if (match !== null) resume(Effect.succeed(match))
          else if (Deferred.isDoneUnsafe(end))
            resume(Effect.fail(new Error(`exited without printing ${String(pattern)}: ${stdout}\n${stderr}`)))
          else return
          matchers.delete(tryMatch)
        }
        matchers.add(tryMatch)
        tryMatch()
        return Effect.sync(() => matchers.delete(tryMatch))
      }),
    exited: Deferred.await(end),
    signal: (signal) => Effect.sync(() => void child.kill(signal)),
  }
}

/** Runs a command and waits for its exit. */
export const run = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  program?: string,
): Effect.Effect<ExitResult> => Effect.scoped(Effect.flatMap(launch(args, env, program), ({ exited }) => exited))
