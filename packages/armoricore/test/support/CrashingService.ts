/** A process of one service that dies by SIGKILL at chosen points of its work, and starts again. */
import * as TcpProxy from "@armoricore/testing/TcpProxy"
import type { NatsServer } from "@armoricore/testing/NatsServer"
import { Deferred, Effect, Exit, Fiber, Scope, Semaphore } from "effect"
import type { NatsConnection as Client } from "nats"
import { retryUntil } from "./ApiClient.ts"
import * as ProgramFixture from "./ProgramFixture.ts"

/** Names the points of the work that the bytes to NATS show. Each is a crash, once. */
export type CrashPoints = (sent: string) => ReadonlyArray<string>

/** The consumer of the message on which the process works when it crashes. */
interface Job {
  readonly stream: "ARMORICORE" | "ARMORICORE_WORK"
  readonly consumer: string
}

export const make = Effect.fnUntraced(function* (
  services: string,
  { port }: NatsServer["Service"],
  client: Client,
  env: ProgramFixture.Env,
) {
  let points: CrashPoints = () => []
  let stopped = yield* Deferred.make<void>()
  const passed: Array<string> = []
  const proxy = yield* TcpProxy.make(port, {
    stopsAfter: (sent) => {
      const next = points(sent).find((point) => !passed.includes(point))
      if (next === undefined || Deferred.isDoneUnsafe(stopped)) return false
      passed.push(next)
      Deferred.doneUnsafe(stopped, Exit.void)
      return true
    },
  })
  const launch = Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const own = { ...env, MESSAGE_BUS_URL: `nats://127.0.0.1:${proxy.port}` }
    return { scope, ...(yield* Scope.provide(ProgramFixture.launch(own, "--services", services), scope)) }
  })
  let running = yield* launch
  yield* running.url

  const crashing = Semaphore.makeUnsafe(1)
  const crash = (job: Job) =>
    Effect.gen(function* () {
      yield* running.program.signal("SIGKILL")
      yield* running.program.exited
      yield* Scope.close(running.scope, Exit.void)
      yield* expire(client, job)
      stopped = yield* Deferred.make<void>()
      yield* proxy.restore
      running = yield* launch
    }).pipe(crashing.withPermits(1))

  return {
    url: Effect.suspend(() => running.url),
    /** The points at which the process died so far. */
    passed: (): ReadonlyArray<string> => passed,
    /** Dies and starts again at each of these points while `work` runs. */
    crashAt: <A, E, R>(job: Job, at: CrashPoints, work: Effect.Effect<A, E, R>) =>
      Effect.gen(function* () {
        points = at
        const crashes = yield* Effect.forkChild(
          Effect.forever(
            Effect.andThen(
              Effect.suspend(() => Deferred.await(stopped)),
              crash(job),
            ),
          ),
        )
        const result = yield* Effect.raceFirst(work, Fiber.join(crashes))
        points = () => []
        // A last crash is over, and its successor works.
        yield* crashing.withPermits(1)(Fiber.interrupt(crashes))
        yield* running.url
        return result
      }),
  }
})

/**
 * What the bus and the ledger do within 30 s after a crash, at once: the lease ends, and the message is delivered again. The
 * consumer has no client now. Its next one creates it, and the message is the only one that it reads.
 */
const expire = (client: Client, { consumer, stream }: Job) =>
  Effect.promise(async () => {
    const manager = await client.jetstreamManager()
    // False: the process died before it created the consumer again.
    await manager.consumers.delete(stream, consumer).catch(() => false)
    const ledger = "KV_armoricore_ledger"
    const { state } = await manager.streams.info(ledger, { subjects_filter: ">" })
    for (const subject of Object.keys(state.subjects ?? {})) {
      if (!subject.startsWith(`$KV.armoricore_ledger.${consumer}=2e`)) continue
      const record = (await manager.streams.getMessage(ledger, { last_by_subj: subject })).string()
      if (record.includes('"status":"leased"'))
        await client.jetstream().publish(subject, record.replace(/"until":\d+/, '"until":0'))
    }
  })

/** All messages are handled: of these consumers, by default of every consumer. */
export const awaitIdle = (client: Client, names: ReadonlyArray<string> = []) =>
  retryUntil(
    Effect.promise(async () => {
      const manager = await client.jetstreamManager()
      const waiting = new Map(names.map((name) => [name, 1]))
      for (const stream of ["ARMORICORE", "ARMORICORE_WORK"])
        for await (const { name, num_ack_pending, num_pending } of manager.consumers.list(stream))
          if (names.length === 0 || waiting.has(name)) waiting.set(name, num_pending + num_ack_pending)
      return [...waiting].filter(([, count]) => count > 0)
    }),
    (waiting) => waiting.length === 0,
  )

/** The streams and buckets of NATS whose messages contain the text, and how often. */
export const streamsWith = (client: Client, text: string) =>
  Effect.promise(async () => {
    const manager = await client.jetstreamManager()
    const found: Record<string, number> = {}
    for await (const { config, state } of manager.streams.list()) {
      for (let seq = state.first_seq; seq <= state.last_seq && state.messages > 0; seq++) {
        const message = await manager.streams.getMessage(config.name, { seq }).catch(() => undefined)
        if (message === undefined) continue
        const headers = message.header === undefined ? "" : JSON.stringify([...message.header])
        if (`${message.subject} ${headers} ${Buffer.from(message.data).toString("latin1")}`.includes(text))
          found[config.name] = (found[config.name] ?? 0) + 1
      }
    }
    return found
  })
