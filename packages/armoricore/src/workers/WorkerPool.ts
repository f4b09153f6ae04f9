/**
 * Realtime on all cores: the first process starts workers that share its port, and ends them in order. Connections are
 * dealt out in turn (`node:cluster`). A worker that dies is replaced; its sockets come back to the others meanwhile, which
 * hear of it, so that its users are gone at once. One that cannot even start ends the program, for the next one would not do
 * better.
 */
import type { EventBus } from "@armoricore/bus/EventBus"
import { sayDied } from "@armoricore/realtime/cluster/Membership"
import { Deferred, Duration, Effect, Fiber, FiberSet, Option, Ref } from "effect"
import { PrometheusMetrics } from "effect/observability"
import cluster, { type Worker } from "node:cluster"
import { createServer } from "node:net"
import { CommandFailed } from "../Failure.ts"
import { Settings } from "../Settings.ts"
import type { Page } from "./MergedMetrics.ts"
import { readFromWorker, type ToWorker } from "./Messages.ts"
import { sharedPort } from "./WorkerLink.ts"

export interface Listening {
  readonly port: number
  readonly url: string
}

export interface Pool extends Listening {
  /** The program stops, and the workers' turn comes last: until then they serve, and say that they are not ready. */
  readonly stopping: Effect.Effect<void>
}

interface End {
  /** Its name among the nodes of realtime; `undefined`: it never served. */
  readonly node: string | undefined
  readonly how: string
}

/** After a worker died. */
const pause = Duration.seconds(1)
/** How long others may take to give their metrics. */
const patience = "2 seconds"

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

  const say = (worker: Worker, message: ToWorker) => void (worker.isConnected() && worker.send(message))

  /** Whatever the other processes have to say, this one too. */
  const gather = (asking: Worker) =>
    Effect.gen(function* () {
      const others = [...workers].filter((worker) => worker !== asking)
      const pages = yield* Effect.forEach(others, metricsOf, { concurrency: "unbounded" })
      const own: Page = { process: "main", text: yield* PrometheusMetrics.format() }
      return [own, ...pages.filter((page) => page !== undefined)]
    })

  let count = 0
  const answers = new Map<number, (text: string) => void>()
  const metricsOf = (worker: Worker) =>
    Effect.suspend(() => {
      const id = ++count
      return Effect.callback<Page | undefined>((resume) => {
        answers.set(id, (text) => resume(Effect.succeed({ process: `worker-${worker.id}`, text })))
        say(worker, { asked: "metrics", id })
      }).pipe(
        Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.succeed(undefined) }),
        Effect.ensuring(Effect.sync(() => answers.delete(id))),
      )
    })

  const launch = (ready: Deferred.Deferred<Listening, CommandFailed>) =>
    Effect.callback<End>((resume) => {
      const worker = cluster.fork({ [sharedPort]: port })
      workers.add(worker)
      worker.on("message", (message) => {
        const read = readFromWorker(message)
        if (Option.isNone(read)) return
        const { value } = read
        if (value.said === "listening") {
          serving.set(worker, value.node)
          if (isStopping) say(worker, { asked: "take nobody new" })
          Deferred.doneUnsafe(ready, Effect.succeed(value))
        }
        if (value.said === "metrics") answers.get(value.id)?.(value.text)
        if (value.said !== "metrics wanted") return
        const { id } = value
        run(Effect.map(gather(worker), (metrics) => say(worker, { asked: "take metrics", id, metrics })))
      })
      worker.on("exit", (code: number | null, signal: string | null) => {
        const node = serving.get(worker)
        workers.delete(worker)
        serving.delete(worker)
        resume(Effect.succeed({ node, how: signal === null ? `ended with ${code}` : `was killed with ${signal}` }))
      })
    })

  const keep = (ready: Deferred.Deferred<Listening, CommandFailed>) =>
    Effect.gen(function* () {
      for (;;) {
        const { node, how } = yield* launch(ready)
        if (yield* Ref.get(isEnding)) return
        if (!Deferred.isDoneUnsafe(ready)) return yield* Deferred.fail(ready, couldNotStart)
        yield* Effect.logError(`a realtime worker ${how}; another one takes its place`)
        if (node !== undefined) yield* Effect.catch(sayDied(node), missed)
        yield* Effect.sleep(pause)
      }
    }).pipe(Effect.asVoid)

  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      yield* Ref.set(isEnding, true)
      for (const worker of workers) {
        // One that only just starts has nothing to hand over.
        if (serving.has(worker)) say(worker, { asked: "drain" })
        else worker.kill("SIGKILL")
      }
      yield* Effect.timeoutOption(Effect.forEach(kept, Fiber.await, { discard: true }), drainTime)
      for (const worker of workers) worker.kill("SIGKILL")
    }),
  )
  const readies = Array.from({ length: size }, () => Deferred.makeUnsafe<Listening, CommandFailed>())
  const kept = readies.map((ready) => fork(keep(ready)))
  const [first] = yield* Effect.forEach(readies, Deferred.await, { concurrency: "unbounded" })
  const { port: shared, url } = first ?? (yield* couldNotStart)
  const stopping = Effect.sync(() => {
    isStopping = true
    for (const worker of workers) say(worker, { asked: "take nobody new" })
  })
  return { port: shared, url, stopping } satisfies Pool
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
const missed = (error: Error) => Effect.logDebug("nobody was told that a realtime worker is gone", error)

const couldNotStart = new CommandFailed({ message: "a realtime worker could not start; its own message says why" })
