/** A realtime worker's side: what it says to the first process, and what that asks of it. */
import { Context, Deferred, Effect, Option } from "effect"
import { PrometheusMetrics } from "effect/observability"
import cluster from "node:cluster"
import { merge, type MetricsPage } from "./MergedMetrics.ts"
import { type FromWorker, decodeToWorker } from "./IpcMessages.ts"

/** The port that all workers share. */
export const sharedPortVariable = "ARMORICORE_SHARED_PORT"

export interface ClusterWorker {
  readonly port: number
  /** `node`: its name among the nodes of realtime. */
  readonly reportListening: (port: number, url: string, node: string) => Effect.Effect<void>
  /** Returns when the program stops: no load balancer should send anybody here, though those who come are served. */
  readonly stopAccepting: Effect.Effect<void>
  /** Returns when the first process wants this one to end in order. */
  readonly drainRequested: Effect.Effect<void>
  /** The metrics of all processes as one page. */
  readonly metrics: Effect.Effect<string>
}

/** The link of a worker of `--realtime-workers`; `undefined` in any other process. */
export const ClusterWorker = Context.Reference<ClusterWorker | undefined>("@armoricore/armoricore/ClusterWorker", {
  defaultValue: () => undefined,
})

/** Another process may be busy; what it has is then left out. */
const metricsTimeout = "3 seconds"

/** For as long as the process lives: the channel ends with it, and a worker ends with the channel. */
export const connectToPrimary: Effect.Effect<ClusterWorker | undefined> = Effect.gen(function* () {
  const { worker } = cluster
  if (!cluster.isWorker || worker === undefined) return undefined
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const stop = yield* Deferred.make<void>()
  const drain = yield* Deferred.make<void>()
  const pendingRequests = new Map<number, (pages: ReadonlyArray<MetricsPage>) => void>()
  const own = PrometheusMetrics.format()
  const send = (message: FromWorker) => void (worker.isConnected() && worker.send(message))
  let count = 0
  // Node ends a worker whose first process is gone.
  worker.once(
    "disconnect",
    () => void run(Effect.logError("the first process is gone, and this realtime worker with it")),
  )
  process.on("message", (message) => {
    const read = decodeToWorker(message)
    if (Option.isNone(read)) return
    const { value } = read
    if (value.type === "take nobody new") Deferred.doneUnsafe(stop, Effect.void)
    else if (value.type === "drain") Deferred.doneUnsafe(drain, Effect.void)
    else if (value.type === "take metrics") pendingRequests.get(value.id)?.(value.metrics)
    else run(Effect.map(own, (text) => send({ type: "metrics", id: value.id, text })))
  })
  return {
    port: Number(process.env[sharedPortVariable]),
    reportListening: (port, url, node) => Effect.sync(() => send({ type: "listening", port, url, node })),
    stopAccepting: Deferred.await(stop),
    drainRequested: Deferred.await(drain),
    metrics: Effect.gen(function* () {
      const id = ++count
      const others = yield* Effect.callback<ReadonlyArray<MetricsPage>>((resume) => {
        pendingRequests.set(id, (pages) => resume(Effect.succeed(pages)))
        send({ type: "metrics wanted", id })
      }).pipe(
        Effect.timeoutOrElse({ duration: metricsTimeout, orElse: () => Effect.succeed([]) }),
        Effect.ensuring(Effect.sync(() => pendingRequests.delete(id))),
      )
      return merge([...others, { process: `worker-${worker.id}`, text: yield* own }])
    }),
  }
})
