/**
 * How the process itself fares: processor, memory, event loop, fibers. Looked at every few seconds; the names without
 * `armoricore_` are those of the usual Node.js dashboards.
 */
import { Effect, Layer, Metric } from "effect"
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from "node:perf_hooks"

export const cpuSeconds = Metric.counter("process_cpu_seconds_total", {
  description: "Processor time of this process, children left out, by mode: user, system",
  incremental: true,
})
export const startTime = Metric.gauge("process_start_time_seconds", {
  description: "When the process started, seconds since 1970",
})
export const residentMemory = Metric.gauge("process_resident_memory_bytes", {
  description: "Memory that the process holds, children left out",
})
export const heapUsed = Metric.gauge("nodejs_heap_size_used_bytes", { description: "JavaScript's heap in use" })
export const externalMemory = Metric.gauge("nodejs_external_memory_bytes", {
  description: "Buffers outside of the heap",
})
export const eventLoopDelay = Metric.gauge("nodejs_eventloop_delay_seconds", {
  description: "How late the event loop came to what was due in the last 5 s, by quantile: 0.5, 0.99, 1",
})
export const eventLoopUtilization = Metric.gauge("nodejs_eventloop_utilization", {
  description: "Part of the last 5 s in which the event loop had work, 0 to 1",
})
export const activeFibers = Metric.gauge("armoricore_fibers", { description: "Fibers that run or wait" })
export const fibersStarted = Metric.counter("armoricore_fibers_started_total", {
  description: "Fibers started",
  incremental: true,
})

const fiberCounts = { active: 0, started: 0 }

/** Counts the fibers of whatever runs below. Nothing but a number is touched for each. */
export const countFibers: Layer.Layer<never> = Layer.succeed(Metric.FiberRuntimeMetrics, {
  recordFiberStart: () => {
    fiberCounts.active++
    fiberCounts.started++
  },
  recordFiberEnd: () => {
    fiberCounts.active--
  },
})

const sampleInterval = "5 seconds"

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
    const sample = Effect.suspend(() => {
      const { user, system } = process.cpuUsage()
      const used = process.memoryUsage()
      const now = performance.eventLoopUtilization()
      const part = performance.eventLoopUtilization(now, busy).utilization
      const toDelaySeconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - resolution / 1000)
      const updates = [
        Metric.update(Metric.withAttributes(cpuSeconds, { mode: "user" }), (user - before.user) / 1e6),
        Metric.update(Metric.withAttributes(cpuSeconds, { mode: "system" }), (system - before.system) / 1e6),
        Metric.update(startTime, Math.round(performance.timeOrigin) / 1000),
        Metric.update(residentMemory, used.rss),
        Metric.update(heapUsed, used.heapUsed),
        Metric.update(externalMemory, used.external),
        Metric.update(Metric.withAttributes(eventLoopDelay, { quantile: "0.5" }), toDelaySeconds(loop.percentile(50))),
        Metric.update(Metric.withAttributes(eventLoopDelay, { quantile: "0.99" }), toDelaySeconds(loop.percentile(99))),
        Metric.update(Metric.withAttributes(eventLoopDelay, { quantile: "1" }), toDelaySeconds(loop.max)),
        Metric.update(eventLoopUtilization, Number.isFinite(part) ? part : 0),
        Metric.update(activeFibers, fiberCounts.active),
        Metric.update(fibersStarted, fiberCounts.started - before.fibers),
      ]
      before = { user, system, fibers: fiberCounts.started }
      busy = now
      loop.reset()
      return Effect.all(updates, { discard: true })
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(sample, Effect.sleep(sampleInterval))))
  }),
)

/** Milliseconds; a late timer is one that came later than this. */
const resolution = 20
