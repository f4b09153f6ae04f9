/** Child processes of a chaos run: started with their own environment, their output read, ended with the scope. */
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export interface ManagedProcess {
  readonly lines: Array<string>
  /** Its newest lines on stderr: warnings, and what ended it. */
  readonly complaints: ReadonlyArray<string>
  /** The first line that begins so. */
  readonly waitForLine: (start: string) => Effect.Effect<string, Error>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly isRunning: () => boolean
  readonly exited: Effect.Effect<void>
}

const maxComplaints = 12

// A worker starts after each kill: what the earlier ones compiled and where modules are halves the CPU of a start.
const resolveOnce = new URL("../scripts/resolve-once.js", import.meta.url).href
const compileCache = process.env["NODE_COMPILE_CACHE"] ?? join(tmpdir(), "node-compile-cache")

export const start = (file: string, env: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => spawnProcess(file, env)),
    (child) =>
      Effect.andThen(
        // A stopped process dies of SIGKILL all the same.
        child.signal("SIGKILL"),
        child.exited,
      ),
  )

const spawnProcess = (file: string, env: Readonly<Record<string, string>>): ManagedProcess => {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const process_: ChildProcess = spawn(process.execPath, ["--import", resolveOnce, path], {
    env: { PATH: process.env["PATH"] ?? "", NODE_COMPILE_CACHE: compileCache, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  })
  const lines: Array<string> = []
  const complaints: Array<string> = []
  process_.stderr?.on("data", (chunk: Buffer) => {
    complaints.push(...chunk.toString().trimEnd().split("\n"))
    complaints.splice(0, complaints.length - maxComplaints)
  })
  const waiting = new Set<() => void>()
  const ended = new Promise<void>((resolve) => process_.once("close", () => resolve()))
  let rest = ""
  process_.stdout?.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split("\n")
    rest = parts.pop() ?? ""
    lines.push(...parts)
    for (const look of waiting) look()
  })
  const isRunning = () => process_.exitCode === null && process_.signalCode === null
  return {
    lines,
    complaints,
    isRunning,
    exited: Effect.promise(() => ended),
    signal: (signal) => Effect.sync(() => void process_.kill(signal)),
    waitForLine: (start_) =>
      Effect.callback<string, Error>((resume) => {
        const look = () => {
          const found = lines.find((line) => line.startsWith(start_))
          if (found === undefined) return
          waiting.delete(look)
          resume(Effect.succeed(found))
        }
        waiting.add(look)
        process_.once("close", () =>
          resume(Effect.fail(new Error([`${file} ended without saying ${start_}`, ...complaints].join("\n")))),
        )
        look()
        return Effect.sync(() => waiting.delete(look))
      }),
  }
}
