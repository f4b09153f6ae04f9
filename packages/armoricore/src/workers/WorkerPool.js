import { announceDown } from "@armoricore/realtime/cluster/Cluster";
import { Deferred, Duration, Effect, Fiber, FiberSet, Option, Ref } from "effect";
import { PrometheusMetrics } from "effect/observability";
import cluster, {} from "node:cluster";
import { createServer } from "node:net";
import { CommandFailed } from "../app/CommandErrors.ts";
import { Settings } from "../settings/Settings.ts";
import { sharedPortVariable } from "./ClusterWorker.ts";
import { decodeFromWorker } from "./IpcMessages.ts";
const restartDelay = Duration.seconds(1);
const metricsTimeout = "2 seconds";
const send = (worker, message) => void (worker.isConnected() && worker.send(message));
/** Requests metrics over the channels of workers. */
const makeMetricsCollector = (workers) => {
    const pendingRequests = new Map();
    let lastRequestId = 0;
    const metricsOf = (worker) => Effect.suspend(() => {
        const id = ++lastRequestId;
        return Effect.callback((resume) => {
            pendingRequests.set(id, (text) => resume(Effect.succeed({ process: `worker-${worker.id}`, text })));
            send(worker, { type: "metrics_request", id });
        }).pipe(Effect.timeoutOrElse({ duration: metricsTimeout, orElse: () => Effect.succeed(undefined) }), Effect.ensuring(Effect.sync(() => pendingRequests.delete(id))));
    });
    return {
        onResponse: (id, text) => pendingRequests.get(id)?.(text),
        /** Pages of the primary and of all workers but the requester. */
        collectFor: (requester) => Effect.gen(function* () {
            const others = [...workers].filter((worker) => worker !== requester);
            const pages = yield* Effect.forEach(others, metricsOf, { concurrency: "unbounded" });
            const primary = { process: "main", text: yield* PrometheusMetrics.format() };
            return [primary, ...pages.filter((page) => page !== undefined)];
        }),
    };
};
/**
 * Starts `size` workers and returns once all of them serve. When the scope closes they drain; those that run longer than
 * `drainTimeout` are killed.
 */
export const start = Effect.fnUntraced(function* (size, drainTimeout) {
    const settings = yield* Settings;
    const port = settings.PORT === 0 ? yield* freePort(settings.HOST) : settings.PORT;
    const workers = new Set();
    /** Workers that serve, with their names in the realtime cluster. */
    const serving = new Map();
    let isStopping = false;
    const isEnding = yield* Ref.make(false);
    const fibers = yield* FiberSet.make();
    const forkSupervisor = yield* FiberSet.runtime(fibers)();
    const fork = Effect.runForkWith(yield* Effect.context());
    const metrics = makeMetricsCollector(workers);
    cluster.setupPrimary({ exec: process.argv[1] ?? "", args: process.argv.slice(2), execArgv: process.execArgv });
    const onMessage = (worker, ready, message) => {
        switch (message.type) {
            case "listening":
                serving.set(worker, message.node);
                if (isStopping)
                    send(worker, { type: "stop_accepting" });
                return Deferred.doneUnsafe(ready, Effect.succeed(message));
            case "metrics_response":
                return metrics.onResponse(message.id, message.text);
            case "metrics_request":
                return fork(Effect.map(metrics.collectFor(worker), (pages) => send(worker, { type: "metrics_response", id: message.id, metrics: pages })));
        }
    };
    /** Forks one worker and completes when it exits. */
    const runWorker = (ready) => Effect.callback((resume) => {
        const worker = cluster.fork({ [sharedPortVariable]: port });
        workers.add(worker);
        worker.on("message", (received) => {
            const message = decodeFromWorker(received);
            if (Option.isSome(message))
                onMessage(worker, ready, message.value);
        });
        worker.on("exit", (code, signal) => {
            const node = serving.get(worker);
            workers.delete(worker);
            serving.delete(worker);
            const description = signal === null ? `exited with code ${code}` : `was killed with ${signal}`;
            resume(Effect.succeed({ node, description }));
        });
    });
    const superviseWorker = (ready) => Effect.gen(function* () {
        for (;;) {
            const { node, description } = yield* runWorker(ready);
            if (yield* Ref.get(isEnding))
                return;
            if (!Deferred.isDoneUnsafe(ready))
                return yield* Deferred.fail(ready, startFailed);
            yield* Effect.logError(`a realtime worker ${description}; starting another one`, { node });
            if (node !== undefined)
                yield* Effect.catch(announceDown(node), logNotAnnounced);
            yield* Effect.sleep(restartDelay);
        }
    }).pipe(Effect.asVoid);
    yield* Effect.addFinalizer(() => Effect.gen(function* () {
        yield* Ref.set(isEnding, true);
        for (const worker of workers) {
            // A worker that does not serve yet has no sockets to drain.
            if (serving.has(worker))
                send(worker, { type: "drain" });
            else
                worker.kill("SIGKILL");
        }
        yield* Effect.timeoutOption(Effect.forEach(supervisors, Fiber.await, { discard: true }), drainTimeout);
        for (const worker of workers)
            worker.kill("SIGKILL");
    }));
    const readies = Array.from({ length: size }, () => Deferred.makeUnsafe());
    const supervisors = readies.map((ready) => forkSupervisor(superviseWorker(ready)));
    const [first] = yield* Effect.forEach(readies, Deferred.await, { concurrency: "unbounded" });
    const { port: shared, url } = first ?? (yield* startFailed);
    const stopAccepting = Effect.sync(() => {
        isStopping = true;
        for (const worker of workers)
            send(worker, { type: "stop_accepting" });
    });
    return { port: shared, url, stopAccepting };
});
/** `node:cluster` shares a port by its number, so a replacement worker must know the number. */
const freePort = (host) => Effect.callback((resume) => {
    const server = createServer();
    server.once("error", ({ message }) => resume(Effect.fail(new CommandFailed({ message: `cannot listen on ${host}: ${message}` }))));
    server.listen({ port: 0, host }, () => {
        const address = server.address();
        const port = typeof address === "object" && address !== null ? address.port : 0;
        server.close(() => resume(Effect.succeed(port)));
    });
});
/** The other nodes then remove its users when they miss its heartbeats. */
const logNotAnnounced = (error) => Effect.logDebug("cannot announce that a realtime worker is down", error);
const startFailed = new CommandFailed({ message: "a realtime worker failed to start; its own log has the reason" });
