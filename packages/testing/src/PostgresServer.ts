/**
 * A real PostgreSQL for tests: on a free port of 127.0.0.1, with a folder of its own, gone with the scope. It refuses to
 * run as root, so root lends it to the user `postgres`. Call
 * `Programs.requireProgram("postgres")` and `Programs.requireProgram("initdb")` first.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { chownSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Context, Effect, Layer, Schedule } from "effect"
import * as TestCertificate from "./fakes/TestCertificate.ts"
import { freePort } from "./LocalPort.ts"
import { childPids } from "./Processes.ts"
import * as Programs from "./Programs.ts"

export class PostgresServer extends Context.Service<
  PostgresServer,
  {
    /** `postgres://armoricore@127.0.0.1:<port>/postgres`, the same after a restart. */
    readonly url: string
    readonly port: number
    /** kill -9 of the whole server, as a crash would. Returns when it is gone. */
    readonly kill: Effect.Effect<void>
    /** Starts it again on the same port and folder after `kill`. */
    readonly restart: Effect.Effect<void>
  }
>()("@armoricore/testing/PostgresServer") {}

export interface PostgresServerOptions {
  /** Nothing but TLS is let in, with the certificate of `TestCertificate`, whose authority is itself. */
  readonly tls?: boolean
}

export const make = Effect.fnUntraced(function* (wanted: PostgresServerOptions = {}) {
  const program = Programs.find("postgres")
  if (program === undefined) return yield* Effect.die(new Error("postgres is not installed"))
  const programs = dirname(realpathSync(program))
  const runAs = postgresUser()
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "postgres-server-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
  )
  if ("uid" in runAs) chownSync(folder, runAs.uid, runAs.gid)
  const data = join(folder, "data")
  const environment = { PATH: process.env["PATH"] ?? "", LC_ALL: "C.UTF-8" }
  yield* Effect.callback<void>((resume) => {
    const options = ["-D", data, "-U", "armoricore", "-A", "trust", "-E", "UTF8", "--no-sync"]
    execFile(join(programs, "initdb"), options, { ...runAs, cwd: folder, env: environment }, (error, _out, said) =>
      resume(error === null ? Effect.void : Effect.die(new Error(`initdb failed: ${said}`))),
    )
  })
  if (wanted.tls === true) {
    writeFileSync(join(data, "server.crt"), TestCertificate.certificate)
    writeFileSync(join(data, "server.key"), TestCertificate.privateKey, { mode: 0o600 })
    if ("uid" in runAs)
      for (const file of ["server.crt", "server.key"]) chownSync(join(data, file), runAs.uid, runAs.gid)
    writeFileSync(join(data, "pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n")
  }
  const port = yield* freePort
  const startOnce = Effect.callback<ChildProcess, "in use">((resume) => {
    const settings = ["listen_addresses=127.0.0.1", "max_connections=60", "fsync=off", "shared_buffers=16MB"]
    if (wanted.tls === true) settings.push("ssl=on")
    const child = spawn(
      join(programs, "postgres"),
      ["-D", data, "-p", String(port), "-k", folder, ...settings.flatMap((setting) => ["-c", setting])],
      { ...runAs, cwd: folder, env: environment, detached: true, stdio: ["ignore", "ignore", "pipe"] },
    )
    // A test run that is ended from outside runs no finalizers.
    const last = () => killAll(child)
    process.once("exit", last)
    child.once("exit", () => process.removeListener("exit", last))
    let log = ""
    child.stderr.on("data", (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-4_000)
      if (log.includes("database system is ready to accept connections")) resume(Effect.succeed(child))
    })
    child.once("exit", (code) =>
      resume(
        log.includes("pre-existing shared memory block")
          ? Effect.fail("in use")
          : Effect.die(new Error(`postgres ended with ${code}:\n${log}`)),
      ),
    )
  })
  // Processes of a killed server hold its memory until they have ended, too.
  const start = Effect.orDie(Effect.retry(startOnce, { times: 100, schedule: Schedule.spaced("100 millis") }))
  let running: ChildProcess = yield* Effect.acquireRelease(start, () => Effect.suspend(() => killAndWait(running)))
  return PostgresServer.of({
    port,
    url: `postgres://armoricore@127.0.0.1:${port}/postgres`,
    kill: Effect.suspend(() => killAndWait(running)),
    restart: Effect.map(start, (again) => {
      running = again
    }),
  })
})

export const layer: Layer.Layer<PostgresServer> = Layer.effect(PostgresServer, make())

/** Nothing where we are not root. */
const postgresUser = (): { readonly uid: number; readonly gid: number } | {} => {
  if (process.getuid?.() !== 0) return {}
  const line = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "utf8"))
  return line === null ? {} : { uid: Number(line[1]), gid: Number(line[2]) }
}

const killAndWait = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    killAll(child)
  })

/** Each server process leads a group of its own and would answer on without its parent. */
const killAll = ({ exitCode, pid, signalCode }: ChildProcess): void => {
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  for (const one of [pid, ...childPids(pid)]) {
    try {
      process.kill(one, "SIGKILL")
    } catch {
      // It ended between the look and the kill.
    }
  }
}
