/** One chaos run: processes up, faults by the plan, then everything healed, drained and counted. */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { KeyValue } from "@armoricore/state/KeyValue";
import { DeadLetters, Ledger } from "@armoricore/worker";
import { ledgerBucket } from "@armoricore/worker/ledger/Ledger";
import { Effect, Layer, Option, Random, Schedule, Semaphore } from "effect";
import * as Broker from "./Broker.ts";
import * as ManagedProcess from "./ManagedProcess.ts";
import { lease } from "./FaultInjection.ts";
import { describeMissing } from "./MissingEvents.ts";
import { probeId, whatIsNotReady } from "./Readiness.ts";
import { injectFaults } from "./Nemesis.ts";
import { adaptersFor, environmentOf } from "./Adapters.ts";
import { summarize } from "./Report.ts";
const workerConcurrency = 4;
/** As the workers have it, or each would change the other's consumer. */
const workerConsumerOptions = { ackWait: lease, onMaxDeliveries: () => Effect.die("not within a run") };
/** Reading the depth takes no messages. */
const noPermits = Semaphore.makeUnsafe(0);
const consumer = { name: "media-media-uploaded", from: event("media.uploaded") };
/** Fails with a sentence where this machine cannot do what the plan asks for. */
export const run = Effect.fn("chaos")(function* (plan) {
    const broker = yield* Broker.make(plan.bus, plan.disk === true);
    // The harness goes straight to the broker, workers go through the proxy.
    const ports = adaptersFor(broker.direct, broker.folder, broker.replicas);
    return yield* runAndObserve(plan, broker).pipe(Effect.provide(DeadLetters.layer.pipe(Layer.provide(Ledger.layer), Layer.provideMerge(ports))));
}, Effect.scoped);
/** A cluster may still be choosing its leader. */
const retryTransient = { while: ({ _tag }) => _tag === "TransientError" };
const runAndObserve = Effect.fnUntraced(function* (plan, broker) {
    const bus = yield* EventBus;
    const state = yield* KeyValue;
    yield* Effect.retry(bus.setup([consumer, { name: "checker", from: event("media.playable") }]), retryTransient);
    yield* Effect.retry(state.setup([ledgerBucket]), retryTransient);
    const results = new Map();
    let isProbeReceived = false;
    yield* bus.consume({ name: "checker", from: event("media.playable"), concurrency: 64 }, ({ arrivedAt, body }) => Effect.sync(() => {
        // Published by the workers of this run, or a probe.
        const { event_id, payload } = JSON.parse(new TextDecoder().decode(body));
        if (payload.media_id === probeId)
            isProbeReceived = true;
        else {
            const known = results.get(payload.media_id) ?? { firstAt: arrivedAt, ids: new Set() };
            known.ids.add(event_id);
            results.set(payload.media_id, { firstAt: Math.min(known.firstAt, arrivedAt), ids: known.ids });
        }
        return { _tag: "Ack" };
    }));
    const sink = yield* ManagedProcess.start("sink.ts", {});
    const sinkUrl = yield* sink.waitForLine("http");
    const environment = {
        CHAOS_FOLDER: broker.folder,
        CHAOS_REPLICAS: String(broker.replicas),
        CHAOS_SINK: sinkUrl,
        ...(plan.mutant === undefined ? {} : { CHAOS_MUTANT: plan.mutant }),
    };
    // A worker that dies is restarted, as a supervisor would do, until the end without crash points.
    let chance = plan.crash;
    const workers = [];
    const everyone = [];
    const supervise = (index) => Effect.gen(function* () {
        for (;;) {
            const worker = yield* ManagedProcess.start("worker.ts", {
                ...environment,
                ...environmentOf(broker.proxied),
                CHAOS_CRASH: String(chance),
                CHAOS_CRASH_AT: plan.crashAt ?? "",
            });
            workers[index] = worker;
            everyone.push(worker);
            yield* worker.exited;
        }
    }).pipe(Effect.scoped);
    for (let index = 0; index < plan.workers; index++)
        yield* Effect.forkScoped(supervise(index));
    const publishers = yield* Effect.forEach(Array.from({ length: plan.publishers }), (_, index) => ManagedProcess.start("publisher.ts", {
        ...environment,
        ...environmentOf(broker.direct),
        CHAOS_NAME: `p${index}`,
        CHAOS_EVENTS: String(plan.events),
    }));
    // The server counts a message until it has worked off its acknowledgement, when the next one is out already.
    const allowed = plan.workers * workerConcurrency * 1.5;
    let prefetched = 0;
    const depth = yield* bus
        .consume({ ...consumer, ...workerConsumerOptions, concurrency: 1, sharedPermits: noPermits }, () => Effect.never)
        .pipe(Effect.map((own) => own.depth));
    if (plan.faults === 0 && plan.crash === 0) {
        yield* Effect.forkScoped(Effect.forever(Effect.tap(depth, ({ inFlight }) => Effect.sync(() => void (prefetched = Math.max(prefetched, inFlight - allowed)))).pipe(Effect.ignore, Effect.andThen(Effect.sleep("20 millis")))));
    }
    const faults = yield* injectFaults([...(plan.brokerFaultsOnly === true ? [] : workerFaults(workers)), ...broker.faults], plan.faults).pipe(Random.withSeed(plan.seed));
    yield* Effect.forEach(publishers, (publisher) => publisher.waitForLine("done"), { discard: true }).pipe(Effect.timeoutOrElse({ duration: publishTimeout, orElse: () => publishersNotDone(plan, publishers) }));
    // Crash points are passed while there is work: most of it is done before the healing begins.
    const most = plan.publishers * plan.events * 0.8;
    yield* Effect.repeat(Effect.sync(() => results.size >= most), { until: (enough) => enough, schedule: Schedule.spaced("50 millis") }).pipe(Effect.timeoutOption(plan.mutant === undefined ? "20 seconds" : "8 seconds"));
    chance = 0;
    // Crash points are in the workers' environment: healed workers are new ones.
    if (plan.crash > 0)
        yield* Effect.forEach([...workers], (worker) => worker.signal("SIGKILL"), { discard: true });
    const linesOf = (children, word) => children.flatMap(({ lines }) => lines.filter((line) => line.startsWith(word)).map((line) => line.slice(word.length)));
    const acknowledged = new Set(linesOf(publishers, "ok "));
    const sent = new Set(linesOf(publishers, "sent "));
    const look = Effect.tryPromise(() => fetch(sinkUrl).then((answer) => answer.json()));
    const healed = Date.now();
    const notReady = yield* whatIsNotReady(workers, () => isProbeReceived);
    const drain = waitForDrain(Effect.gen(function* () {
        const recorded = new Set((yield* look).effects.map(({ id }) => id));
        const { inFlight, pending } = yield* depth;
        const open = [...acknowledged].filter((id) => !recorded.has(id)).length;
        const withoutResult = [...acknowledged].filter((id) => !results.has(id)).length;
        return [open, withoutResult, pending, inFlight];
    }), 
    // A mutant that loses events never gets there: what is missing then is the finding.
    plan.mutant === undefined ? 45_000 : 8_000);
    // Without a worker or an observer nothing drains.
    if (notReady.length === 0)
        yield* drain;
    const drainSeconds = (Date.now() - healed) / 1_000;
    const seen = yield* look;
    // RabbitMQ closes a connection when a queue on it does not answer for a minute.
    const letters = yield* Effect.retry((yield* DeadLetters).list({ limit: 1_000 }), {
        ...retryTransient,
        schedule: Schedule.spaced("1 second"),
        times: 30,
    });
    const deliveries = linesOf(everyone, "got ");
    const report = {
        seed: plan.seed,
        notReady,
        ...summarize({ acknowledged, sent, results, seen }),
        prefetched,
        deadLetters: letters.length,
        duplicateDeliveries: deliveries.length - new Set(deliveries).size,
        faults,
        drainSeconds,
        missingEvents: yield* describeMissing({ acknowledged, results, seen }, consumer.name, workers, broker),
    };
    return report;
});
const publishTimeout = "90 seconds";
const publishersNotDone = (plan, publishers) => {
    const acknowledged = publishers.flatMap(({ lines }) => lines.filter((line) => line.startsWith("ok "))).length;
    return Effect.fail(new Error([
        `The bus acknowledged ${acknowledged} of ${plan.publishers * plan.events} events within ${publishTimeout}`,
        ...publishers.flatMap(({ complaints }) => complaints.slice(-3)),
    ].join("\n")));
};
/**
 * Waits until every count of `left` is zero. A late result is not a lost one: the wait ends early only when no count
 * reached a new minimum for `stallMillis` milliseconds.
 */
const waitForDrain = Effect.fnUntraced(function* (left, stallMillis) {
    let least = [];
    let progressAt = Date.now();
    while (Date.now() - progressAt < stallMillis) {
        const counts = yield* Effect.option(left);
        if (Option.isSome(counts)) {
            const now = counts.value;
            if (now.every((count) => count === 0))
                return;
            if (now.some((count, index) => count < (least[index] ?? Infinity)))
                progressAt = Date.now();
            least = now.map((count, index) => Math.min(count, least[index] ?? Infinity));
        }
        yield* Effect.sleep("200 millis");
    }
});
const workerFaults = (workers) => {
    const someone = Effect.map(Random.nextIntBetween(0, workers.length, { halfOpen: true }), (index) => workers[index]);
    const signal = (name) => Effect.flatMap(someone, (worker) => worker?.signal(name) ?? Effect.void);
    const pause = Effect.gen(function* () {
        const worker = yield* someone;
        if (worker === undefined)
            return;
        yield* worker.signal("SIGSTOP");
        // Longer than the lease: another worker owns its message when it resumes.
        yield* Effect.sleep("3 seconds");
        yield* worker.signal("SIGCONT");
    });
    return [
        { name: "kill -9 a worker", run: signal("SIGKILL") },
        { name: "SIGTERM a worker", run: signal("SIGTERM") },
        { name: "stop a worker for 3 s", run: pause },
    ];
};
