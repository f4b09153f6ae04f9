/**
 * Realtime on all cores: the first process starts workers that share its port, and ends them in order. Connections are
 * dealt out in turn (`node:cluster`). A worker that dies is replaced; its sockets come back to the others meanwhile, which
 * hear of it, so that its users are gone at once. One that cannot even start ends the program, for the next one would not do
 * better.
 */
import type { EventBus } from "@armoricore/bus/EventBus"
import { announceDown } from "@armoricore/realtime/cluster/Cluster"
import { Deferred, Duration, Effect, Fiber, FiberSet, Option, Ref } from "effect"
import { PrometheusMetrics } from "effect/observability"
import cluster, { type Worker } from "node:cluster"
import { createServer } from "node:net"
import { CommandFailed } from "../app/CommandErrors.ts"
import { Settings } from "../settings/Settings.ts"
import type { MetricsPage } from "./MergedMetrics.ts"
import { decodeFromWorker, type ToWorker } from "./IpcMessages.ts"
import { sharedPortVariable } from "./ClusterWorker.ts"

export interface PoolAddress {
  readonly port: number
  readonly url: string
}

export interface WorkerPool extends PoolAddress {
  /** The program stops, and the workers' turn comes last: until then they serve, and say that they are not ready. */
  readonly stopAccepting: Effect.Effect<void>
}

interface WorkerExit {
  /** Its name among the nodes of realtime; `undefined`: it never served. */
  readonly node: string | undefined
  readonly description: string
}

/** After a worker died. */
const restartDelay = Duration.seconds(1)
/** How long others may take to give their metrics. */
const metricsTimeout = "2 seconds"

/**
 * Returns once all workers serve. When the scope closes they are asked to end, have `drainTime`, and are killed then.
 */
export const start = Effect.fnUntraced(function* (size: number, drainTime: Duration.Duration) {
  const settings = yield* Settings
  const port = settings.PORT === 0 ? yield* freePort(settings.HOST) : settings.PORT
  const workers = new Set<Worker>()
  /** By the names of their nodes. */
  const serving = new Map<Worker, string>()
  let isStopping = false
  const isEnding = yield* Ref.make(false)
  const fibers = yield* FiberSet.make<void, CommandFailed>()
  const fork = yield* FiberSet.runtime(fibers)<EventBus>()
  const run = Effect.runForkWith(yield* Effect.context<never>())
  cluster.setupPrimary({ exec: process.argv[1] ?? "", args: process.argv.slice(2), execArgv: process.execArgv })

  const send = (worker: Worker, message: ToWorker) => void (worker.isConnected() && worker.send(message))

  /** Whatever the other processes have to say, this one too. */
  const collectMetrics = (asking: Worker) =>
    Effect.gen(function* () {
      const others = [...workers].filter((worker) => worker !== asking)
      const pages = yield* Effect.forEach(others, metricsOf, { concurrency: "unbounded" })
      const own: MetricsPage = { process: "main", text: yield* PrometheusMetrics.format() }
      return [own, ...pages.filter((page) => page !== undefined)]
    })

  let count = 0
  const pendingRequests = new Map<number, (text: string) => void>()
  const metricsOf = (worker: Worker) =>
    Effect.suspend(() => {
      const id = ++count
      return Effect.callback<MetricsPage | undefined>((resume) => {
        pendingRequests.set(id, (text) => resume(Effect.succeed({ process: `worker-${worker.id}`, text })))
        send(worker, { type: "metrics", id })
      }).pipe(
        Effect.timeoutOrElse({ duration: metricsTimeout, orElse: () => Effect.succeed(undefined) }),
        Effect.ensuring(Effect.sync(() => pendingRequests.delete(id))),
      )
    })

  const launch = (ready: Deferred.Deferred<PoolAddress, CommandFailed>) =>
    Effect.callback<WorkerExit>((resume) => {
      const worker = cluster.fork({ [sharedPortVariable]: port })
      workers.add(worker)
      worker.on("message", (message) => {
        const read = decodeFromWorker(message)
        if (Option.isNone(read)) return
        const { value } = read
        if (value.type === "listening") {
          serving.set(worker, value.node)
          if (isStopping) send(worker, { type: "take nobody new" })
          Deferred.doneUnsafe(ready, Effect.succeed(value))
        }
        if (value.type === "metrics") pendingRequests.get(value.id)?.(value.text)
        if (value.type !== "metrics wanted") return
        const { id } = value
        run(Effect.map(collectMetrics(worker), (metrics) => send(worker, { type: "take metrics", id, metrics })))
      })
      worker.on("exit", (code: number | null, signal: string | null) => {
        const node = serving.get(worker)
        workers.delete(worker)
        serving.delete(worker)
        resume(
          Effect.succeed({ node, description: signal === null ? `ended with ${code}` : `was killed with ${signal}` }),
        )
      })
    })

  const superviseWorker = (ready: Deferred.Deferred<PoolAddress, CommandFailed>) =>
    Effect.gen(function* () {
      for (;;) {
        const { node, description } = yield* launch(ready)
        if (yield* Ref.get(isEnding)) return
        if (!Deferred.isDoneUnsafe(ready)) return yield* Deferred.fail(ready, startFailed)
        yield* Effect.logError(`a realtime worker ${description}; another one takes its place`)
        if (node !== undefined) yield* Effect.catch(announceDown(node), logUnannounced)
        yield* Effect.sleep(restartDelay)
      }
    }).pipe(Effect.asVoid)

  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      yield* Ref.set(isEnding, true)
      for (const worker of workers) {
        // One that only just starts has nothing to hand over.
        if (serving.has(worker)) send(worker, { type: "drain" })
        else worker.kill("SIGKILL")
      }
      yield* Effect.timeoutOption(Effect.forEach(kept, Fiber.await, { discard: true }), drainTime)
      for (const worker of workers) worker.kill("SIGKILL")
    }),
  )
  const readies = Array.from({ length: size }, () => Deferred.makeUnsafe<PoolAddress, CommandFailed>())
  const kept = readies.map((ready) => fork(superviseWorker(ready)))
  const [first] = yield* Effect.forEach(readies, Deferred.await, { concurrency: "unbounded" })
  const { port: shared, url } = first ?? (yield* startFailed)
  const stopAccepting = Effect.sync(() => {
    isStopping = true
    for (const worker of workers) send(worker, { type: "take nobody new" })
  })
  return { port: shared, url, stopAccepting } satisfies WorkerPool
})

/** Node shares a port among workers by its number, so that one that comes later must know it. */
const freePort = (host: string) =>
  Effect.callback<number, CommandFailed>((resume) => {
    const server = createServer()
    server.once("error", ({ message }) => resume(Effect.fail(new CommandFailed({ message }))))
    server.listen({ port: 0, host }, () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      server.close(() => resume(Effect.succeed(port)))
    })
  })

/** Its users go when the other nodes miss it. */
const logUnannounced = (error: Error) => Effect.logDebug("nobody was told that a realtime worker is gone", error)

const startFailed = new CommandFailed({ message: "a realtime worker could not start; its own message says why" })
