/**
 * The requests that every process answers for operators, independent of its services: statistics, circuits, log level and
 * log lines.
 * Closing the Layer ends it.
 */
import type { EventBus } from "@armoricore/bus/EventBus"
import { type Procedure, NodeRpc } from "@armoricore/worker/control/NodeRpc"
import { type RunningConsumer, ConsumerRegistry } from "@armoricore/worker/control/ConsumerRegistry"
import { CircuitRegistry } from "@armoricore/worker/control/CircuitRegistry"
import { Clock, Effect, Layer, Metric, Schema } from "effect"
import { NodeCircuit } from "./api/Circuit.ts"
import { RenderedTemplate, TemplateRequest } from "./api/Notification.ts"
import { type Counters, type JobDurations, type Queue, NodeStats } from "./api/Overview.ts"
import * as LiveTail from "./LiveTail.ts"
import { LogControl } from "./LogControl.ts"
import { LogLevel } from "./OperatorApi.ts"
import { performance } from "node:perf_hooks"

/** Current numbers of the sockets in this process. */
export interface SocketCounts {
  readonly sockets: number
  readonly broadcasts: number
  readonly deliveries: number
}

export const nodeStats: Procedure<void, NodeStats> = { kind: "vitals", request: Schema.Void, reply: NodeStats }

export const circuits: Procedure<void, ReadonlyArray<typeof NodeCircuit.Type>> = {
  kind: "circuits",
  request: Schema.Void,
  reply: Schema.Array(NodeCircuit),
}

/** Resets the failures of a circuit. */
export const resetCircuit: Procedure<string, boolean> = {
  kind: "reset-circuit",
  request: Schema.String,
  reply: Schema.Boolean,
}

export const setLogLevel: Procedure<LogLevel, LogLevel> = { kind: "log-level", request: LogLevel, reply: LogLevel }

/** Answered by processes with the notify service. */
export const templateNames: Procedure<void, ReadonlyArray<string>> = {
  kind: "template-names",
  request: Schema.Void,
  reply: Schema.Array(Schema.String),
}

export const previewTemplate: Procedure<TemplateRequest, RenderedTemplate> = {
  kind: "template-preview",
  request: TemplateRequest,
  reply: RenderedTemplate,
}

const zeroSockets: SocketCounts = { sockets: 0, broadcasts: 0, deliveries: 0 }

export const layer = (
  socketCounts: () => SocketCounts = () => zeroSockets,
): Layer.Layer<never, never, NodeRpc | LogControl | EventBus> =>
  Layer.merge(responders(socketCounts), LiveTail.layerPublisher)

const responders = (socketCounts: () => SocketCounts) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const nodeRpc = yield* NodeRpc
      const circuitRegistry = yield* CircuitRegistry
      const consumers = yield* ConsumerRegistry
      const log = yield* LogControl
      let previousUsage = {
        at: yield* Clock.currentTimeMillis,
        cpu: process.cpuUsage(),
        loop: performance.eventLoopUtilization(),
      }

      const depths = Effect.suspend(() => Effect.forEach(consumers.list(), queueDepth, { concurrency: 8 }))

      yield* nodeRpc.respond(nodeStats, () =>
        Effect.gen(function* () {
          const at = yield* Clock.currentTimeMillis
          const { cpu, loop, at: since } = previousUsage
          const used = process.cpuUsage(cpu)
          const busy = performance.eventLoopUtilization(loop)
          // Requests in quick succession get the same measurement.
          if (at - since >= 1_000) {
            previousUsage = { at, cpu: process.cpuUsage(), loop: performance.eventLoopUtilization() }
          }
          const snapshot = yield* Metric.snapshot
          const live = socketCounts()
          return {
            memory: process.memoryUsage.rss(),
            cpu: at === since ? 0 : (used.user + used.system) / 1000 / (at - since),
            event_loop_utilization: Number.isFinite(busy.utilization) ? busy.utilization : 0,
            log_level: log.get(),
            counters: toCounters(snapshot, live),
            job_durations: toJobDurations(snapshot),
            queues: (yield* depths).flat(),
            sockets: live.sockets,
          }
        }),
      )
      yield* nodeRpc.respond(circuits, () =>
        Effect.forEach(circuitRegistry.circuits(), ({ name, state }) =>
          Effect.map(state, (state) => ({ name, ...state })),
        ),
      )
      yield* nodeRpc.respond(resetCircuit, (requestedName) => {
        const matching = circuitRegistry.circuits().filter(({ name }) => name === requestedName)
        return Effect.as(
          Effect.forEach(matching, ({ reset }) => reset),
          matching.length > 0,
        )
      })
      yield* nodeRpc.respond(setLogLevel, (level) =>
        Effect.gen(function* () {
          const previous = log.get()
          log.set(level)
          yield* Effect.logWarning(`log level changed from ${previous} to ${level}`)
          return previous
        }),
      )
    }),
  )

const queueDepth = ({ depth, name, service }: RunningConsumer): Effect.Effect<ReadonlyArray<Queue>> =>
  depth.pipe(
    Effect.map(({ inFlight, oldestAgeMillis, pending }): ReadonlyArray<Queue> => [
      { name, service, pending, in_flight: inFlight, oldest_age_millis: oldestAgeMillis },
    ]),
    Effect.timeout("1 second"),
    // The bus is disconnected: that is reported elsewhere.
    Effect.catch(() => Effect.succeed<ReadonlyArray<Queue>>([])),
  )

type Snapshot = Effect.Success<typeof Metric.snapshot>

const sumCounter = (
  snapshot: Snapshot,
  id: string,
  only?: readonly [label: string, values: ReadonlyArray<string>],
): number =>
  snapshot.reduce((sum, metric) => {
    if (metric.id !== id || metric.type !== "Counter") return sum
    if (only !== undefined && !only[1].includes(metric.attributes?.[only[0]] ?? "")) return sum
    return sum + Number(metric.state.count)
  }, 0)

const toCounters = (snapshot: Snapshot, { broadcasts, deliveries }: SocketCounts): Counters => ({
  events_in: sumCounter(snapshot, "armoricore_events_consumed_total"),
  events_out: sumCounter(snapshot, "armoricore_events_published_total"),
  jobs: sumCounter(snapshot, "armoricore_jobs_total", ["result", ["succeeded", "failed", "exhausted", "rejected"]]),
  jobs_failed: sumCounter(snapshot, "armoricore_jobs_total", ["result", ["failed", "exhausted", "rejected"]]),
  retries: sumCounter(snapshot, "armoricore_retries_total"),
  dead_letters: sumCounter(snapshot, "armoricore_dead_letters_total"),
  notifications: sumCounter(snapshot, "armoricore_notification_deliveries_total"),
  broadcasts,
  deliveries,
})

const toJobDurations = (snapshot: Snapshot): ReadonlyArray<JobDurations> =>
  snapshot.flatMap((metric) =>
    metric.id === "armoricore_job_duration_seconds" && metric.type === "Histogram"
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
