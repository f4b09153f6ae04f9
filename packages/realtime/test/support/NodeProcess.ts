/** Starts `ClusterNode.ts`, or another program with the same protocol, as a child process. */
import { Effect, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { NodeOptions } from "./ClusterNode.ts"

const file = fileURLToPath(new URL("./ClusterNode.ts", import.meta.url))

export interface NodeProcess {
  readonly port: number
  /** Since its start, in microseconds. */
  readonly cpuMicros: Effect.Effect<number>
  /** Waits until the process has exited. */
  readonly end: (signal: "SIGTERM" | "SIGKILL") => Effect.Effect<void>
}

const end = (child: ChildProcess, signal: "SIGTERM" | "SIGKILL") =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill(signal)
  })

/** The end of the scope kills the process. */
export const start = (options: NodeOptions, program = file): Effect.Effect<NodeProcess, never, Scope.Scope> =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        fork(program, [JSON.stringify(options)], { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] }),
      ),
      (started) => end(started, "SIGKILL"),
    )
    const port = yield* Effect.callback<number>((resume) => {
      child.once("message", (message) => {
        if (typeof message === "object" && "port" in message) resume(Effect.succeed(Number(message.port)))
      })
      child.once("exit", (code) => resume(Effect.die(new Error(`the node ended with ${code}`))))
    })
    const cpuMicros = Effect.callback<number>((resume) => {
      child.once("message", (message) => {
        if (typeof message === "object" && "cpuMicros" in message) resume(Effect.succeed(Number(message.cpuMicros)))
      })
      child.send("cpu")
    })
    return { port, cpuMicros, end: (signal) => end(child, signal) }
  })
