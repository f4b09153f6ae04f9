/**
 * A real nats-server with JetStream for tests: on a free port of 127.0.0.1, with a store folder of its own, gone with the
 * scope. Call `Programs.requireProgram("nats-server")` first.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import * as Programs from "./Programs.ts"

export class NatsServer extends Context.Service<
  NatsServer,
  {
    /** `nats://127.0.0.1:<port>`, the same after a restart. */
    readonly url: string
    readonly port: number
    readonly pid: Effect.Effect<number>
    /** kill -9, as a crash would. Returns when the process is gone. */
    readonly kill: Effect.Effect<void>
    /** Starts it again on the same port and store after `kill`. */
    readonly restart: Effect.Effect<void>
  }
>()("@armoricore/testing/NatsServer") {}

interface Running {
  readonly child: ChildProcess
  readonly port: number
}

/** `arguments_` are added to the server's command line, for example `["-c", "nats.conf"]`; `env` is what that file reads. */
export const make = Effect.fnUntraced(function* (
  arguments_: ReadonlyArray<string> = [],
  env: Readonly<Record<string, string>> = {},
) {
  const program = Programs.find("nats-server")
  if (program === undefined) return yield* Effect.die(new Error("nats-server is not installed"))
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "nats-server-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
  )
  const start = (port: number) =>
    Effect.callback<Running>((resume) => {
      const child = spawn(program, ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder, ...arguments_], {
        stdio: ["ignore", "ignore", "pipe"],
        env: { ...process.env, ...env },
      })
      let log = ""
      child.stderr.on("data", (chunk: Buffer) => {
        log = (log + chunk.toString()).slice(-4_000)
        const listening = log.match(/Listening for client connections on 127\.0\.0\.1:(\d+)/)?.[1]
        if (listening !== undefined && log.includes("Server is ready"))
          resume(Effect.succeed({ child, port: Number(listening) }))
      })
      child.once("exit", (code) => resume(Effect.die(new Error(`nats-server ended with ${code}:\n${log}`))))
    })
  let running: Running = yield* Effect.acquireRelease(start(-1), () => Effect.suspend(() => killAndWait(running.child)))
  const { port } = running
  return NatsServer.of({
    port,
    url: `nats://127.0.0.1:${port}`,
    pid: Effect.sync(() => running.child.pid ?? 0),
    kill: Effect.suspend(() => killAndWait(running.child)),
    restart: Effect.suspend(() => start(port)).pipe(
      Effect.map((again) => {
        running = again
      }),
    ),
  })
})

export const layer: Layer.Layer<NatsServer> = Layer.effect(NatsServer, make())

const killAndWait = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })
