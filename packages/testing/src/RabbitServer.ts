/**
 * A real RabbitMQ for tests: on free ports of 127.0.0.1, with folders of its own, gone with the scope. Erlang takes
 * seconds to start, so a suite shares one server and takes an empty virtual host per test. Call
 * `Programs.requireProgram("rabbitmq-server")` first.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { realpathSync } from "node:fs"
import { Context, Effect, Layer } from "effect"
import { freePort } from "./LocalPort.ts"
import * as Programs from "./Programs.ts"

export class RabbitServer extends Context.Service<
  RabbitServer,
  {
    readonly port: number
    /** Where it speaks TLS; 0 without `tls`. */
    readonly tlsPort: number
    /** `amqp://guest:guest@127.0.0.1:<port>/<host>` of an unused virtual host; dies when none is left. */
    readonly newUrl: Effect.Effect<string>
    /** Every virtual host's exchanges, queues and bindings, as `rabbitmqctl export_definitions` says them (JSON). */
    readonly definitions: Effect.Effect<string>
    /**
     * The queues of a virtual host, one line each: name, state, ready messages, unacknowledged messages, consumers. Then
     * the newest warnings and errors of the server's log. Lines that say why instead where the server does not answer.
     */
    readonly describe: (url: string) => Effect.Effect<ReadonlyArray<string>>
    /** kill -9 of the whole server, as a crash would. Returns when it is gone. */
    readonly kill: Effect.Effect<void>
    /** Starts it again on the same port and store after `kill`. */
    readonly restart: Effect.Effect<void>
  }
>()("@armoricore/testing/RabbitServer") {}

export interface RabbitServerOptions {
  /** How many virtual hosts there are to take. Default 64. */
  readonly virtualHosts?: number
  /** Files of a certificate and its key: it also listens with TLS. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

export const make = Effect.fnUntraced(function* (options: RabbitServerOptions = {}) {
  const program = Programs.find("rabbitmq-server")
  if (program === undefined) return yield* Effect.die(new Error("rabbitmq-server is not installed"))
  const hosts = Array.from({ length: options.virtualHosts ?? 64 }, (_, index) => `t${index}`)
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "rabbit-server-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
  )
  const [port, distribution, mapper] = [yield* freePort, yield* freePort, yield* freePort]
  const tlsPort = options.tls === undefined ? 0 : yield* freePort
  writeFileSync(
    join(folder, "rabbitmq.conf"),
    [configuration(port, join(folder, "definitions.json")), tlsConfiguration(tlsPort, options.tls)].join(""),
  )
  writeFileSync(join(folder, "definitions.json"), definitions(hosts))
  writeFileSync(join(folder, "enabled_plugins"), "[].\n")
  const environment = {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    // Erlang's register of nodes, on a port of our own so that it ends with us.
    ERL_EPMD_PORT: String(mapper),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    // Lets it be ended while it still counts a server that was killed.
    ERL_EPMD_RELAXED_COMMAND_CHECK: "1",
    RABBITMQ_NODENAME: `armoricore-${port}@localhost`,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: folder,
    RABBITMQ_LOG_BASE: folder,
    RABBITMQ_LOGS: "-",
    RABBITMQ_PID_FILE: join(folder, "pid"),
    RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins"),
    // Spares the two cores that others work on too.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+sbwt none +sbwtdcpu none +sbwtdio none",
  }
  let log = ""
  const start = Effect.callback<ChildProcess>((resume) => {
    // The script beside the packaged one, which would change the user; its process group is killed as a whole.
    const child = spawn(serverScript(program), [], {
      detached: true,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    })
    // A test run that is ended from outside runs no finalizers.
    const last = () => void (child.pid !== undefined && child.exitCode === null && process.kill(-child.pid, "SIGKILL"))
    process.once("exit", last)
    child.once("exit", () => process.removeListener("exit", last))
    let own = ""
    const read = (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-200_000)
      own = (own + chunk.toString()).slice(-4_000)
      if (own.includes("Server startup complete")) resume(Effect.succeed(child))
    }
    child.stdout.on("data", read)
    child.stderr.on("data", read)
    child.once("exit", (code) => resume(Effect.die(new Error(`rabbitmq-server ended with ${code}:\n${own}`))))
  })
  yield* Effect.addFinalizer(() =>
    Effect.callback<void>((resume) => {
      const stop = spawn("epmd", ["-kill"], { env: environment, stdio: "ignore" })
      stop.once("error", () => resume(Effect.void))
      stop.once("exit", () => resume(Effect.void))
    }),
  )
  const control = (...args: ReadonlyArray<string>) =>
    Effect.callback<string, Error>((resume) => {
      const file = join(dirname(serverScript(program)), "rabbitmqctl")
      execFile(file, ["-q", ...args], { env: environment, maxBuffer: 1e8 }, (error, out, said) =>
        resume(error === null ? Effect.succeed(out) : Effect.fail(new Error(`${error.message}\n${out}${said}`))),
      )
    })
  let running: ChildProcess = yield* Effect.acquireRelease(start, () => Effect.suspend(() => killAndWait(running)))
  return RabbitServer.of({
    port,
    tlsPort,
    newUrl: Effect.suspend(() => {
      const host = hosts.pop()
      return host === undefined
        ? Effect.die(new Error("no virtual host is left; ask for more of them"))
        : Effect.succeed(`amqp://guest:guest@127.0.0.1:${port}/${host}`)
    }),
    definitions: Effect.orDie(control("export_definitions", "-")),
    describe: (url) =>
      control(
        ...`--no-table-headers --timeout 10 list_queues -p ${new URL(url).pathname.slice(1)}`.split(" "),
        ...queueColumns,
      ).pipe(
        Effect.catch(({ message }) => Effect.succeed(message)),
        Effect.map((text) => [
          ...text.trim().split("\n"),
          ...log
            .split("\n")
            .filter((line) => /\[(warning|error)\]/.test(line))
            .slice(-20),
        ]),
      ),
    kill: Effect.suspend(() => killAndWait(running)),
    restart: Effect.map(start, (again) => {
      running = again
    }),
  })
})

export const layer = (options: RabbitServerOptions = {}): Layer.Layer<RabbitServer> =>
  Layer.effect(RabbitServer, make(options))

const queueColumns = ["name", "state", "messages_ready", "messages_unacknowledged", "consumers"]

/** Debian's program is a wrapper; the server's own script is in the folder that the wrapper's neighbours link to. */
const serverScript = (program: string): string => {
  const linked = "/usr/lib/rabbitmq/bin/rabbitmq-server"
  try {
    return realpathSync(linked)
  } catch {
    return join(dirname(realpathSync(program)), "rabbitmq-server")
  }
}

const configuration = (port: number, file: string) => `listeners.tcp.1 = 127.0.0.1:${port}
load_definitions = ${file}
log.console.level = info
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.relative = 0.6
`

const tlsConfiguration = (port: number, tls: RabbitServerOptions["tls"]) =>
  tls === undefined
    ? ""
    : `listeners.ssl.1 = 127.0.0.1:${port}
ssl_options.cacertfile = ${tls.cert}
ssl_options.certfile = ${tls.cert}
ssl_options.keyfile = ${tls.key}
ssl_options.verify = verify_none
`

const definitions = (hosts: ReadonlyArray<string>) =>
  JSON.stringify({
    users: [{ name: "guest", password: "guest", tags: "administrator" }],
    vhosts: hosts.map((name) => ({ name })),
    permissions: hosts.map((vhost) => ({ user: "guest", vhost, configure: ".*", write: ".*", read: ".*" })),
  })

/** The script, the Erlang machine and its helpers are one process group. */
const killAndWait = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    process.kill(-child.pid, "SIGKILL")
  })
