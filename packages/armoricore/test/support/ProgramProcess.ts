/** The program as a child process, on a free port and a folder of its own. */
import { Deferred, Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const bin = fileURLToPath(new URL("../../bin/armoricore.js", import.meta.url))

/** A folder that is gone with the scope. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "armoricore-test-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 })),
)

/** Nothing of the developer's own environment may reach the program. */
const environment = (own: Readonly<Record<string, string>>): NodeJS.ProcessEnv => {
  const kept = ["PATH", "HOME", "TMPDIR", "CI"] as const
  return {
    ...Object.fromEntries(kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))),
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
  /** What stdout and stderr said so far. */
  readonly output: () => string
  /** The first match of the pattern in the output; fails when the program ends before. */
  readonly waitForOutput: (pattern: RegExp) => Effect.Effect<RegExpExecArray, Error>
  readonly exited: Effect.Effect<ExitResult>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
}

/** Starts a command, of another checkout where `program` names its; whatever still runs when the scope closes is ended. */
export const launch = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  program: string = bin,
): Effect.Effect<ProgramProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => start(args, env, program)),
    ({ child, exited, signal }) =>
      // Asked first, so that it removes what it made.
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
  const waiting = new Set<() => void>()
  const heard = () => {
    for (const look of waiting) look()
  }
  child.stdout.on("data", (chunk) => {
    stdout += String(chunk)
    heard()
  })
  child.stderr.on("data", (chunk) => {
    stderr += String(chunk)
    heard()
  })
  const end = Deferred.makeUnsafe<ExitResult>()
  child.on("close", (code) => {
    Deferred.doneUnsafe(end, Effect.succeed({ code, stdout, stderr }))
    heard()
  })
  return {
    child,
    output: () => `${stdout}\n${stderr}`,
    waitForOutput: (pattern) =>
      Effect.callback<RegExpExecArray, Error>((resume) => {
        const look = () => {
          const match = pattern.exec(`${stdout}\n${stderr}`)
          if (match !== null) resume(Effect.succeed(match))
          else if (Deferred.isDoneUnsafe(end))
            resume(Effect.fail(new Error(`ended without saying ${String(pattern)}: ${stdout}\n${stderr}`)))
          else return
          waiting.delete(look)
        }
        waiting.add(look)
        look()
        return Effect.sync(() => waiting.delete(look))
      }),
    exited: Deferred.await(end),
    signal: (signal) => Effect.sync(() => void child.kill(signal)),
  }
}

/** Runs a command to its end. */
export const run = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  program: string = bin,
): Effect.Effect<ExitResult> => Effect.scoped(Effect.flatMap(launch(args, env, program), ({ exited }) => exited))
