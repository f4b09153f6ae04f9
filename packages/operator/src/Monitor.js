/**
 * The state of the whole installation: every process reports its statistics, which are merged into one sample. While a
 * client watches, and for some time afterwards, a sample is taken every two seconds and retained, so that the charts
 * are filled at once. Without a client it costs nothing.
 */
import { EventBus } from "@armoricore/bus/EventBus";
import { NodeRpc } from "@armoricore/worker/control/NodeRpc";
import { CircuitRegistry } from "@armoricore/worker/control/CircuitRegistry";
import { Clock, Context, Duration, Effect, Layer, PubSub, RcRef, Semaphore, Stream } from "effect";
import { healthWarnings } from "./HealthWarnings.ts";
import { mergeCircuits } from "./Circuits.ts";
import { JobIndex } from "./JobIndex.ts";
import * as NodeRequests from "./NodeRequests.ts";
export class Monitor extends Context.Service()("@armoricore/operator/Monitor") {
    static layer = Layer.effect(Monitor, Effect.suspend(() => make));
}
const sampleInterval = Duration.seconds(2);
/** Ten minutes. */
const maxSamples = 300;
/** How long sampling continues after the last client. */
const samplingIdleTimeout = Duration.minutes(10);
/** Dead letters are counted up to this number, at this interval. */
const maxCountedDeadLetters = 500;
const deadLetterCountIntervalMillis = 10_000;
const make = Effect.gen(function* () {
    const bus = yield* EventBus;
    const nodeRpc = yield* NodeRpc;
    const circuitRegistry = yield* CircuitRegistry;
    const jobs = yield* JobIndex;
    const history = [];
    const samples = yield* PubSub.sliding(2);
    const sampleLock = Semaphore.makeUnsafe(1);
    let previousSamples = new Map();
    let deadLetterCount = { at: 0, count: 0, more: false };
    let latestSample;
    const countDeadLetters = Effect.fnUntraced(function* (now) {
        if (now - deadLetterCount.at < deadLetterCountIntervalMillis)
            return deadLetterCount;
        const found = yield* bus.deadLetters.list({ limit: maxCountedDeadLetters });
        deadLetterCount = { at: now, count: found.length, more: found.length === maxCountedDeadLetters };
        return deadLetterCount;
    });
    const collect = Effect.gen(function* () {
        const at = yield* Clock.currentTimeMillis;
        const infos = yield* nodeRpc.nodes;
        // Concurrently: unresponsive processes cost only one timeout.
        const [stats, circuits] = yield* Effect.all([nodeRpc.call(NodeRequests.nodeStats, undefined), nodeRpc.call(NodeRequests.circuits, undefined)], { concurrency: 2 });
        const { replies } = stats;
        // A response that does not decode, for example from another version, counts as no response.
        const unresponsive = [...stats.unresponsive, ...stats.failures.map(({ node }) => node)];
        const counted = yield* Effect.catch(countDeadLetters(at), () => Effect.succeed(deadLetterCount));
        const noJobs = { stages: {}, ready: 0, failed: 0 };
        const counts = yield* Effect.catch(jobs.counts, () => Effect.succeed(noJobs));
        const nodeSamples = new Map(replies.map(({ node, value }) => [node, { at, stats: value }]));
        const queues = mergeQueues(replies.map(({ value }) => value));
        const sample = {
            at,
            rates: counterRates(previousSamples, nodeSamples),
            sockets: replies.reduce((sum, { value }) => sum + value.sockets, 0),
            pending: queues.reduce((sum, { pending }) => sum + pending, 0),
            job_seconds: jobDurations(previousSamples, nodeSamples),
        };
        previousSamples = nodeSamples;
        const pauses = circuitRegistry.pauses();
        const openCircuits = [...mergeCircuits(circuits.replies).values()].filter(({ status }) => status !== "closed");
        const overview = {
            sample,
            history: [],
            nodes: infos.flatMap((info) => toNode(info, nodeSamples.get(info.node)?.stats)),
            unresponsive,
            queues,
            jobs: counts,
            dead_letters: { count: counted.count, more: counted.more },
            unhealthy_circuits: [
                ...new Set([...openCircuits.map(({ name }) => name), ...pauses.map(({ name }) => name)]),
            ].sort(),
        };
        const busStatus = yield* bus.status;
        const completed = {
            ...overview,
            warnings: healthWarnings(overview, openCircuits, pauses, busStatus, infos, yield* nodeRpc.departed),
        };
        history.push(sample);
        if (history.length > maxSamples)
            history.shift();
        latestSample = { at, overview: completed };
        yield* PubSub.publish(samples, completed);
        return completed;
    });
    /** Concurrent requests share a sample. */
    const latest = sampleLock.withPermits(1)(Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis;
        if (latestSample !== undefined && now - latestSample.at < Duration.toMillis(sampleInterval) / 2)
            return latestSample.overview;
        return yield* collect;
    }));
    const sampling = yield* RcRef.make({
        acquire: Effect.forkScoped(Effect.forever(Effect.andThen(sampleLock
            .withPermits(1)(collect)
            .pipe(Effect.catchCause((cause) => Effect.logError("sampling the installation failed", cause))), Effect.sleep(sampleInterval)))),
        idleTimeToLive: samplingIdleTimeout,
    });
    const withHistory = Effect.map(latest, (overview) => ({ ...overview, history: [...history] }));
    return Monitor.of({
        overview: Effect.scoped(Effect.andThen(RcRef.get(sampling), withHistory)),
        watch: Stream.unwrap(Effect.gen(function* () {
            yield* RcRef.get(sampling);
            const next = yield* PubSub.subscribe(samples);
            return Stream.concat(Stream.fromEffect(withHistory), Stream.fromSubscription(next));
        })),
    });
});
const toNode = (info, stats) => {
    if (stats === undefined)
        return [];
    const { cpu, log_level, event_loop_utilization, memory } = stats;
    return [{ ...info, cpu, log_level, event_loop_utilization, memory }];
};
/** Processes that share a durable consumer report the same queue; one that has the newer state reports more. */
const mergeQueues = (all) => {
    const queues = new Map();
    for (const queue of all.flatMap((vitals) => vitals.queues)) {
        const known = queues.get(queue.name);
        queues.set(queue.name, known === undefined
            ? queue
            : {
                ...queue,
                pending: Math.max(queue.pending, known.pending),
                in_flight: Math.max(queue.in_flight, known.in_flight),
                oldest_age_millis: Math.max(queue.oldest_age_millis, known.oldest_age_millis),
            });
    }
    return [...queues.values()].sort((a, b) => b.pending - a.pending || (a.name < b.name ? -1 : 1));
};
export const zeroCounters = {
    events_in: 0,
    events_out: 0,
    jobs: 0,
    jobs_failed: 0,
    retries: 0,
    dead_letters: 0,
    notifications: 0,
    broadcasts: 0,
    deliveries: 0,
};
/** A new or restarted process counts from its second sample on. */
const counterRates = (before, now) => {
    const rates = { ...zeroCounters };
    for (const [node, { at, stats }] of now) {
        const previous = before.get(node);
        if (previous === undefined || at <= previous.at)
            continue;
        for (const name of counterNames) {
            const increase = stats.counters[name] - previous.stats.counters[name];
            rates[name] += Math.max(0, increase) / ((at - previous.at) / 1000);
        }
    }
    for (const name of counterNames)
        rates[name] = Math.round(rates[name] * 100) / 100;
    return rates;
};
const isCounter = (name) => name in zeroCounters;
const counterNames = Object.keys(zeroCounters).filter(isCounter);
const jobDurations = (before, now) => {
    let [count, sum] = [0, 0];
    const buckets = new Map();
    const add = ({ buckets: more, count: n, sum: seconds }, sign) => {
        count += sign * n;
        sum += sign * seconds;
        for (const { count: within, le } of more) {
            const bound = le ?? Number.POSITIVE_INFINITY;
            buckets.set(bound, (buckets.get(bound) ?? 0) + sign * within);
        }
    };
    for (const [node, { stats }] of now) {
        const previous = before.get(node);
        if (previous === undefined)
            continue;
        for (const times of stats.job_durations)
            add(times, 1);
        for (const times of previous.stats.job_durations)
            add(times, -1);
    }
    if (count <= 0)
        return null;
    const bounds = [...buckets].sort(([a], [b]) => a - b);
    const largest = bounds.findLast(([bound]) => Number.isFinite(bound))?.[0] ?? 0;
    const p95 = bounds.find(([, within]) => within >= 0.95 * count)?.[0] ?? largest;
    return { mean: Math.max(0, sum) / count, p95: Number.isFinite(p95) ? p95 : largest };
};
