/** A server in a process of its own, and crowds of clients around it. */
import { fork, type ChildProcess } from "node:child_process"
import { join } from "node:path"
import { Effect } from "effect"
import { type RawClient, connect } from "./RawClient.ts"
import type { ServerKind, ServerCommand, Report } from "./Protocol.ts"

export interface ServerProcess {
  readonly kind: ServerKind
  readonly port: number
  readonly request: <R extends Report["report"]>(
    order: ServerCommand,
    report: R,
  ) => Promise<Extract<Report, { report: R }>>
  readonly send: (order: ServerCommand) => void
}

/** A server of its own that ends with the scope. */
export const startServer = Effect.fnUntraced(function* (kind: ServerKind) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      fork(join(import.meta.dirname, "server.ts"), [kind], {
        execArgv: kind === "armoricore" ? serverFlags : [],
      }),
    ),
    (running) => Effect.promise(() => exited(running)),
  )
  const next = <R extends Report["report"]>(wanted: R) =>
    new Promise<Extract<Report, { report: R }>>((resolve) => {
      const listen = (report: Report) => {
        if (!isReport(report, wanted)) return
        child.off("message", listen)
        resolve(report)
      }
      child.on("message", listen)
    })
  // A server that dies takes the bench with it, instead of being waited for.
  child.on("exit", (code) => {
    if (code !== 0) process.exit(1)
  })
  const { port } = yield* Effect.promise(() => next("listening"))
  const send = (order: ServerCommand): void => void child.send(order)
  const running: ServerProcess = {
    kind,
    port,
    send,
    request: (order, report) => {
      const answer = next(report)
      send(order)
      return answer
    },
  }
  return running
})

/** The flag that the program's launcher gives its own process; `BENCH_FLAGS` tries others. */
export const serverFlags = (process.env["BENCH_FLAGS"] ?? "--max-semi-space-size=8")
  .split(" ")
  .filter((flag) => flag !== "")

const isReport = <R extends Report["report"]>(report: Report, wanted: R): report is Extract<Report, { report: R }> =>
  report.report === wanted

const exited = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.on("exit", () => resolve())
    // It ends after a time without messages, and writes a profile first if one was requested.
    child.disconnect()
  })

/** Connects so many, 50 at once; returns them with the seconds it took. */
export const connectClients = Effect.fnUntraced(function* (
  server: ServerProcess,
  count: number,
  tokenOf: (index: number) => string,
) {
  const clients: Array<RawClient> = []
  yield* Effect.addFinalizer(() => Effect.sync(() => clients.forEach((client) => client.disconnect())))
  const from = performance.now()
  yield* Effect.forEach(
    Array.from({ length: count }, (_, index) => index),
    (index) =>
      Effect.map(
        Effect.promise(() => connect(server.kind, server.port, tokenOf(index), `127.0.0.${2 + (index % 8)}`)),
        (client) => clients.push(client),
      ),
    { concurrency: 50, discard: true },
  )
  return { clients, seconds: (performance.now() - from) / 1000 }
})

export const totalFrames = (clients: ReadonlyArray<RawClient>): number =>
  clients.reduce((sum, client) => sum + client.frames(), 0)

export const waitUntil = (condition: () => boolean) => Effect.repeat(Effect.sleep(10), { while: () => !condition() })

export const joinTopic = (client: RawClient, ref: string, name: string): void =>
  client.send(JSON.stringify([ref, ref, name, "phx_join", {}]))
