/** A realtime worker's side: what it says to the first process, and what that asks of it. */
import { Context, Deferred, Effect, Option } from "effect"
import { PrometheusMetrics } from "effect/observability"
import cluster from "node:cluster"
import { merge, type Page } from "./MergedMetrics.ts"
import { type FromWorker, readToWorker } from "./Messages.ts"

/** The port that all workers share. */
export const sharedPort = "ARMORICORE_SHARED_PORT"

export interface WorkerLink {
  readonly port: number
  /** `node`: its name among the nodes of realtime. */
  readonly listening: (port: number, url: string, node: string) => Effect.Effect<void>
  /** Returns when the program stops: no load balancer should send anybody here, though those who come are served. */
  readonly stopping: Effect.Effect<void>
  /** Returns when the first process wants this one to end in order. */
  readonly drainAsked: Effect.Effect<void>
  /** The metrics of all processes as one page. */
  readonly metrics: Effect.Effect<string>
}

/** The link of a worker of `--realtime-workers`; `undefined` in any other process. */
export const WorkerLink = Context.Reference<WorkerLink | undefined>("@armoricore/armoricore/WorkerLink", {
  defaultValue: () => undefined,
})

/** Another process may be busy; what it has is then left out. */
const patience = "3 seconds"

/** For as long as the process lives: the channel ends with it, and a worker ends with the channel. */
export const connect: Effect.Effect<WorkerLink | undefined> = Effect.gen(function* () {
  const { worker } = cluster
  if (!cluster.isWorker || worker === undefined) return undefined
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const stop = yield* Deferred.make<void>()
  const drain = yield* Deferred.make<void>()
  const waiting = new Map<number, (pages: ReadonlyArray<Page>) => void>()
  const own = PrometheusMetrics.format()
  const say = (message: FromWorker) => void (worker.isConnected() && worker.send(message))
  let count = 0
  // Node ends a worker whose first process is gone.
  worker.once(
    "disconnect",
    () => void run(Effect.logError("the first process is gone, and this realtime worker with it")),
  )
  process.on("message", (message) => {
    const read = readToWorker(message)
    if (Option.isNone(read)) return
    const { value } = read
    if (value.asked === "take nobody new") Deferred.doneUnsafe(stop, Effect.void)
    else if (value.asked === "drain") Deferred.doneUnsafe(drain, Effect.void)
    else if (value.asked === "take metrics") waiting.get(value.id)?.(value.metrics)
    else run(Effect.map(own, (text) => say({ said: "metrics", id: value.id, text })))
  })
  return {
    port: Number(process.env[sharedPort]),
    listening: (port, url, node) => Effect.sync(() => say({ said: "listening", port, url, node })),
    stopping: Deferred.await(stop),
    drainAsked: Deferred.await(drain),
    metrics: Effect.gen(function* () {
      const id = ++count
      const others = yield* Effect.callback<ReadonlyArray<Page>>((resume) => {
        waiting.set(id, (pages) => resume(Effect.succeed(pages)))
        say({ said: "metrics wanted", id })
      }).pipe(
        Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.succeed([]) }),
        Effect.ensuring(Effect.sync(() => waiting.delete(id))),
      )
      return merge([...others, { process: `worker-${worker.id}`, text: yield* own }])
    }),
  }
})
