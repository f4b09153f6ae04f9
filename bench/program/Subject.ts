/** A server under test in a process of its own: `armoricore start` on embedded defaults or on NATS, or a peer. */
import { type ChildProcess, fork, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as LocalPort from "@armoricore/testing/LocalPort"
import * as NatsServer from "@armoricore/testing/NatsServer"
import { Duration, Effect, FileSystem, Schedule } from "effect"
import { secret, type SubjectKind } from "./Protocol.ts"

export interface Subject {
  readonly kind: SubjectKind
  readonly port: number
  readonly pid: number
  /** CPU seconds of the process so far, all of its threads together. */
  readonly cpuSeconds: () => number
}

const launcher = join(import.meta.dirname, "../../packages/armoricore/bin/armoricore.js")
const clockTicksPerSecond = 100

/** User and system time: the fields 14 and 15, behind the command's name. */
export const cpuSecondsOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) / clockTicksPerSecond
}

const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

/** `BENCH_NODE_FLAGS` adds flags, for example `--cpu-prof`; then the program ends by SIGTERM, so that it writes the profile. */
const nodeFlags = (process.env["BENCH_NODE_FLAGS"] ?? "").split(" ").filter((flag) => flag !== "")

const stop = (child: ChildProcess): Effect.Effect<void> =>
  nodeFlags.length === 0
    ? ended(child)
    : Effect.callback<void>((resume) => {
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGTERM")
      })

/** The program then gives back the memory of its start, which costs 0.1 to 0.2 CPU-s once and does not count here. */
const afterStart = Duration.seconds(8)

const startProgram = Effect.fnUntraced(function* (kind: SubjectKind, env: Readonly<Record<string, string>>) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-bench-" })
  const port = yield* LocalPort.freePort
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--max-semi-space-size=8", ...nodeFlags, launcher, "start"], {
        stdio: ["ignore", "inherit", "inherit"],
        env: {
          PATH: process.env["PATH"],
          HOME: folder,
          ARMORICORE_DATA_DIR: join(folder, "data"),
          JWT_SECRET: secret,
          PORT: `${port}`,
          LOG_LEVEL: "error",
          ...env,
        },
      }),
    ),
    stop,
  )
  yield* Effect.tryPromise(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`)
    if (!response.ok) throw new Error(`not ready: ${response.status}`)
  }).pipe(Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 300 }), Effect.orDie)
  yield* Effect.sleep(afterStart)
  const pid = child.pid ?? 0
  const subject: Subject = { kind, port, pid, cpuSeconds: () => cpuSecondsOf(pid) }
  return subject
})

const startPeer = Effect.fnUntraced(function* (kind: SubjectKind) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => fork(join(import.meta.dirname, "peer.ts"), [kind])),
    ended,
  )
  const port = yield* Effect.callback<number>((resume) => {
    child.once("message", (message: { readonly port: number }) => resume(Effect.succeed(message.port)))
  })
  const pid = child.pid ?? 0
  const subject: Subject = { kind, port, pid, cpuSeconds: () => cpuSecondsOf(pid) }
  return subject
})

/** Runs until the scope closes. `env`: further settings of the program. */
export const start = Effect.fnUntraced(function* (kind: SubjectKind, env: Readonly<Record<string, string>> = {}) {
  if (kind === "armoricore") return yield* startProgram(kind, env)
  if (kind !== "armoricore on NATS") return yield* startPeer(kind)
  const nats = yield* NatsServer.make()
  return yield* startProgram(kind, { ...env, MESSAGE_BUS_URL: nats.url })
})
