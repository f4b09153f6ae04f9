/**
 * What each process answers to operators, whatever services it runs: how it fares, which circuits it has, and what it
 * logs from now on. Built in every process; closing the Layer ends it.
 */
import { type Question, ControlPlane } from "@armoricore/worker/ControlPlane"
import { type RunningConsumer, RunningConsumers } from "@armoricore/worker/RunningConsumers"
import { Switchboard } from "@armoricore/worker/Switchboard"
import { Clock, Effect, Layer, Metric, Schema } from "effect"
import { OwnCircuit } from "./api/Circuit.ts"
import { type Counters, type JobTimes, type Queue, Vitals } from "./api/Overview.ts"
import { LogControl } from "./LogControl.ts"
import { LogLevel } from "./OperatorApi.ts"
import { performance } from "node:perf_hooks"

/** Live numbers of the sockets in this process. */
export interface SocketCounts {
  readonly sockets: number
  readonly broadcasts: number
  readonly deliveries: number
}

export const vitals: Question<void, Vitals> = { kind: "vitals", question: Schema.Void, answer: Vitals }

export const circuits: Question<void, ReadonlyArray<typeof OwnCircuit.Type>> = {
  kind: "circuits",
  question: Schema.Void,
  answer: Schema.Array(OwnCircuit),
}

/** Forgets the failures of a circuit. */
export const resetCircuit: Question<string, boolean> = {
  kind: "reset-circuit",
  question: Schema.String,
  answer: Schema.Boolean,
}

export const logLevel: Question<LogLevel, LogLevel> = { kind: "log-level", question: LogLevel, answer: LogLevel }

const noSockets: SocketCounts = { sockets: 0, broadcasts: 0, deliveries: 0 }

export const layer = (socketCounts: () => SocketCounts = () => noSockets): Layer.Layer<never, never, ControlPlane> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const plane = yield* ControlPlane
      const board = yield* Switchboard
      const consumers = yield* RunningConsumers
      const log = yield* LogControl
      let before = {
        at: yield* Clock.currentTimeMillis,
        cpu: process.cpuUsage(),
        loop: performance.eventLoopUtilization(),
      }

      const depths = Effect.suspend(() => Effect.forEach(consumers.list(), depthOf, { concurrency: 8 }))

      yield* plane.answer(vitals, () =>
        Effect.gen(function* () {
          const at = yield* Clock.currentTimeMillis
          const { cpu, loop, at: since } = before
          const used = process.cpuUsage(cpu)
          const busy = performance.eventLoopUtilization(loop)
          // Askers that follow each other closely get the same measure.
          if (at - since >= 1_000) {
            before = { at, cpu: process.cpuUsage(), loop: performance.eventLoopUtilization() }
          }
          const snapshot = yield* Metric.snapshot
          const live = socketCounts()
          return {
            memory: process.memoryUsage.rss(),
            cpu: at === since ? 0 : (used.user + used.system) / 1000 / (at - since),
            loop_busy: Number.isFinite(busy.utilization) ? busy.utilization : 0,
            log_level: log.get(),
            counters: countersOf(snapshot, live),
            times: timesOf(snapshot),
            queues: (yield* depths).flat(),
            sockets: live.sockets,
          }
        }),
      )
      yield* plane.answer(circuits, () =>
        Effect.forEach(board.circuits(), ({ name, state }) => Effect.map(state, (told) => ({ name, ...told }))),
      )
      yield* plane.answer(resetCircuit, (wanted) => {
        const mine = board.circuits().filter(({ name }) => name === wanted)
        return Effect.as(
          Effect.forEach(mine, ({ reset }) => reset),
          mine.length > 0,
        )
      })
      yield* plane.answer(logLevel, (level) =>
        Effect.gen(function* () {
          const was = log.get()
          log.set(level)
          yield* Effect.logWarning(`the log level was ${was} and is ${level} now`)
          return was
        }),
      )
    }),
  )

const depthOf = ({ depth, name, service }: RunningConsumer): Effect.Effect<ReadonlyArray<Queue>> =>
  depth.pipe(
    Effect.map(({ inFlight, oldestMillis, waiting }): ReadonlyArray<Queue> => [
      { name, service, waiting, in_flight: inFlight, oldest_millis: oldestMillis },
    ]),
    Effect.timeout("1 second"),
    // The bus is away: that shows elsewhere.
    Effect.catch(() => Effect.succeed<ReadonlyArray<Queue>>([])),
  )

type Snapshot = Effect.Success<typeof Metric.snapshot>

const sumOf = (
  snapshot: Snapshot,
  id: string,
  only?: readonly [label: string, values: ReadonlyArray<string>],
): number =>
  snapshot.reduce((sum, metric) => {
    if (metric.id !== id || metric.type !== "Counter") return sum
    if (only !== undefined && !only[1].includes(metric.attributes?.[only[0]] ?? "")) return sum
    return sum + Number(metric.state.count)
  }, 0)

const countersOf = (snapshot: Snapshot, { broadcasts, deliveries }: SocketCounts): Counters => ({
  events_in: sumOf(snapshot, "armoricore_events_consumed_total"),
  events_out: sumOf(snapshot, "armoricore_events_published_total"),
  jobs: sumOf(snapshot, "armoricore_jobs_total", ["result", ["succeeded", "failed", "exhausted"]]),
  jobs_failed: sumOf(snapshot, "armoricore_jobs_total", ["result", ["failed", "exhausted"]]),
  retries: sumOf(snapshot, "armoricore_retries_total"),
  dead_letters: sumOf(snapshot, "armoricore_dead_letters_total"),
  notifications: sumOf(snapshot, "armoricore_deliveries_total"),
  broadcasts,
  deliveries,
})

const timesOf = (snapshot: Snapshot): ReadonlyArray<JobTimes> =>
  snapshot.flatMap((metric) =>
    metric.id === "armoricore_job_seconds" && metric.type === "Histogram"
      ? [
          {
            type: metric.attributes?.["type"] ?? "unknown",
            count: metric.state.count,
            sum: metric.state.sum,
            buckets: metric.state.buckets.map(([le, count]) => ({ le: Number.isFinite(le) ? le : null, count })),
          },
        ]
      : [],
  )
