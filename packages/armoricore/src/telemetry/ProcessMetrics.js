/**
 * Metrics of the process: CPU, memory, event loop and fibers, sampled every 5 s. The names without `armoricore_` are those
 * of prom-client, which Node.js dashboards expect; those of the event loop are OpenTelemetry's (`nodejs.eventloop.*`).
 */
import { Effect, Layer, Metric } from "effect";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
export const cpuSeconds = Metric.counter("process_cpu_seconds_total", {
    description: "CPU time of this process without its children, by mode: user, system",
    incremental: true,
});
export const startTime = Metric.gauge("process_start_time_seconds", {
    description: "Start time of the process, in seconds since 1970",
});
export const residentMemory = Metric.gauge("process_resident_memory_bytes", {
    description: "Resident memory of the process without its children",
});
export const heapUsed = Metric.gauge("nodejs_heap_size_used_bytes", { description: "Used JavaScript heap" });
export const externalMemory = Metric.gauge("nodejs_external_memory_bytes", {
    description: "Memory of buffers outside the JavaScript heap",
});
export const eventLoopDelayP50 = Metric.gauge("nodejs_eventloop_delay_p50_seconds", {
    description: "Median delay of timers in the event loop over the last 5 s",
});
export const eventLoopDelayP99 = Metric.gauge("nodejs_eventloop_delay_p99_seconds", {
    description: "99th percentile of the delay of timers in the event loop over the last 5 s",
});
export const eventLoopDelayMax = Metric.gauge("nodejs_eventloop_delay_max_seconds", {
    description: "Longest delay of a timer in the event loop over the last 5 s",
});
export const eventLoopUtilization = Metric.gauge("nodejs_eventloop_utilization", {
    description: "Fraction of the last 5 s in which the event loop was busy, 0 to 1",
});
export const activeFibers = Metric.gauge("armoricore_fibers", { description: "Fibers that run or are suspended" });
export const fibersStarted = Metric.counter("armoricore_fibers_started_total", {
    description: "Fibers started since the process started",
    incremental: true,
});
const fiberCounts = { active: 0, started: 0 };
/** Counts fibers. Hot path: it only changes two numbers per fiber. */
export const countFibers = Layer.succeed(Metric.FiberRuntimeMetrics, {
    recordFiberStart: () => {
        fiberCounts.active++;
        fiberCounts.started++;
    },
    recordFiberEnd: () => {
        fiberCounts.active--;
    },
});
const sampleInterval = "5 seconds";
/** Samples until the scope closes. */
export const layer = Layer.effectDiscard(Effect.gen(function* () {
    const loop = yield* Effect.acquireRelease(Effect.sync(() => {
        const histogram = monitorEventLoopDelay({ resolution });
        histogram.enable();
        return histogram;
    }), (histogram) => Effect.sync(() => histogram.disable()));
    let previous = { user: 0, system: 0, fibers: 0 };
    let previousUtilization = performance.eventLoopUtilization();
    const sample = Effect.suspend(() => {
        const { user, system } = process.cpuUsage();
        const memory = process.memoryUsage();
        const utilization = performance.eventLoopUtilization();
        const busy = performance.eventLoopUtilization(utilization, previousUtilization).utilization;
        const toDelaySeconds = (nanoseconds) => Math.max(0, nanoseconds / 1e9 - resolution / 1000);
        const updates = [
            Metric.update(Metric.withAttributes(cpuSeconds, { mode: "user" }), (user - previous.user) / 1e6),
            Metric.update(Metric.withAttributes(cpuSeconds, { mode: "system" }), (system - previous.system) / 1e6),
            Metric.update(startTime, Math.round(performance.timeOrigin) / 1000),
            Metric.update(residentMemory, memory.rss),
            Metric.update(heapUsed, memory.heapUsed),
            Metric.update(externalMemory, memory.external),
            Metric.update(eventLoopDelayP50, toDelaySeconds(loop.percentile(50))),
            Metric.update(eventLoopDelayP99, toDelaySeconds(loop.percentile(99))),
            Metric.update(eventLoopDelayMax, toDelaySeconds(loop.max)),
            Metric.update(eventLoopUtilization, Number.isFinite(busy) ? busy : 0),
            Metric.update(activeFibers, fiberCounts.active),
            Metric.update(fibersStarted, fiberCounts.started - previous.fibers),
        ];
        previous = { user, system, fibers: fiberCounts.started };
        previousUtilization = utilization;
        loop.reset();
        return Effect.all(updates, { discard: true });
    });
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(sample, Effect.sleep(sampleInterval))));
}));
/** Timer interval of the event loop monitor, in milliseconds. */
const resolution = 20;
