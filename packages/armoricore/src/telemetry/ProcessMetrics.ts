/**
 * How the process itself fares: processor, memory, event loop, fibers. Looked at every few seconds; the names without
 * `armoricore_` are those of the usual Node.js dashboards.
 */
import { Effect, Layer, Metric } from "effect"
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from "node:perf_hooks"

export const cpu = Metric.counter("process_cpu_seconds_total", {
  description: "Processor time of this process, children left out, by mode: user, system",
  incremental: true,
})
export const started = Metric.gauge("process_start_time_seconds", {
  description: "When the process started, seconds since 1970",
})
export const memory = Metric.gauge("process_resident_memory_bytes", {
  description: "Memory that the process holds, children left out",
})
export const heap = Metric.gauge("nodejs_heap_size_used_bytes", { description: "JavaScript's heap in use" })
export const external = Metric.gauge("nodejs_external_memory_bytes", { description: "Buffers outside of the heap" })
export const delay = Metric.gauge("nodejs_eventloop_delay_seconds", {
  description: "How late the event loop came to what was due in the last 5 s, by quantile: 0.5, 0.99, 1",
})
export const utilization = Metric.gauge("nodejs_eventloop_utilization", {
  description: "Part of the last 5 s in which the event loop had work, 0 to 1",
})
export const fibers = Metric.gauge("armoricore_fibers", { description: "Fibers that run or wait" })
export const fibersStarted = Metric.counter("armoricore_fibers_started_total", {
  description: "Fibers started",
  incremental: true,
})

const counts = { active: 0, started: 0 }

/** Counts the fibers of whatever runs below. Nothing but a number is touched for each. */
export const countFibers: Layer.Layer<never> = Layer.succeed(Metric.FiberRuntimeMetrics, {
  recordFiberStart: () => {
    counts.active++
    counts.started++
  },
  recordFiberEnd: () => {
    counts.active--
  },
})

const interval = "5 seconds"

/** Looks as long as the Layer lives. */
export const layer: Layer.Layer<never> = Layer.effectDiscard(
  Effect.gen(function* () {
    const loop = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const histogram = monitorEventLoopDelay({ resolution })
        histogram.enable()
        return histogram
      }),
      (histogram) => Effect.sync(() => histogram.disable()),
    )
    let before = { user: 0, system: 0, fibers: 0 }
    let busy: EventLoopUtilization = performance.eventLoopUtilization()
    const look = Effect.suspend(() => {
      const { user, system } = process.cpuUsage()
      const used = process.memoryUsage()
      const now = performance.eventLoopUtilization()
      const part = performance.eventLoopUtilization(now, busy).utilization
      const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - resolution / 1000)
      const updates = [
        Metric.update(Metric.withAttributes(cpu, { mode: "user" }), (user - before.user) / 1e6),
        Metric.update(Metric.withAttributes(cpu, { mode: "system" }), (system - before.system) / 1e6),
        Metric.update(started, Math.round(performance.timeOrigin) / 1000),
        Metric.update(memory, used.rss),
        Metric.update(heap, used.heapUsed),
        Metric.update(external, used.external),
        Metric.update(Metric.withAttributes(delay, { quantile: "0.5" }), late(loop.percentile(50))),
        Metric.update(Metric.withAttributes(delay, { quantile: "0.99" }), late(loop.percentile(99))),
        Metric.update(Metric.withAttributes(delay, { quantile: "1" }), late(loop.max)),
        Metric.update(utilization, Number.isFinite(part) ? part : 0),
        Metric.update(fibers, counts.active),
        Metric.update(fibersStarted, counts.started - before.fibers),
      ]
      before = { user, system, fibers: counts.started }
      busy = now
      loop.reset()
      return Effect.all(updates, { discard: true })
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.sleep(interval))))
  }),
)

/** Milliseconds; a late timer is one that came later than this. */
const resolution = 20
