/** The worker's side of `--realtime-workers`: its link to the primary process. */
import { Context, Deferred, Effect, Layer, Option } from "effect";
import { PrometheusMetrics } from "effect/observability";
import cluster from "node:cluster";
import { decodeToWorker } from "./IpcMessages.ts";
import { merge } from "./MergedMetrics.ts";
/** Environment variable with the port that all workers share. */
export const sharedPortVariable = "ARMORICORE_SHARED_PORT";
/** Whether this process is a realtime worker: `primary` is undefined in every other process. */
export class ClusterWorker extends Context.Service()("@armoricore/armoricore/ClusterWorker") {
    /** Connects to the primary if `node:cluster` started this process. */
    static layer = Layer.effect(ClusterWorker, Effect.suspend(() => Effect.map(connectToPrimary, (primary) => ({ primary }))));
    /** A process that is never a realtime worker. */
    static layerNoop = Layer.succeed(ClusterWorker, { primary: undefined });
}
/** The page leaves out processes that do not respond in time. Longer than the primary's own timeout. */
const metricsTimeout = "3 seconds";
/** The listeners stay for the life of the process: Node ends a worker together with its channel. */
const connectToPrimary = Effect.gen(function* () {
    const { worker } = cluster;
    if (!cluster.isWorker || worker === undefined)
        return undefined;
    const fork = Effect.runForkWith(yield* Effect.context());
    const stop = yield* Deferred.make();
    const drain = yield* Deferred.make();
    const pendingRequests = new Map();
    const localMetrics = PrometheusMetrics.format();
    const send = (message) => void (worker.isConnected() && worker.send(message));
    let lastRequestId = 0;
    worker.once("disconnect", () => void fork(Effect.logError("primary process exited; shutting down")));
    process.on("message", (received) => {
        const decoded = decodeToWorker(received);
        if (Option.isNone(decoded))
            return;
        const message = decoded.value;
        switch (message.type) {
            case "stop_accepting":
                return Deferred.doneUnsafe(stop, Effect.void);
            case "drain":
                return Deferred.doneUnsafe(drain, Effect.void);
            case "metrics_response":
                return pendingRequests.get(message.id)?.(message.metrics);
            case "metrics_request":
                return fork(Effect.map(localMetrics, (text) => send({ type: "metrics_response", id: message.id, text })));
        }
    });
    return {
        port: Number(process.env[sharedPortVariable]),
        reportListening: (port, url, node) => Effect.sync(() => send({ type: "listening", port, url, node })),
        stopAccepting: Deferred.await(stop),
        drainRequested: Deferred.await(drain),
        metrics: Effect.gen(function* () {
            const id = ++lastRequestId;
            const others = yield* Effect.callback((resume) => {
                pendingRequests.set(id, (pages) => resume(Effect.succeed(pages)));
                send({ type: "metrics_request", id });
            }).pipe(Effect.timeoutOrElse({ duration: metricsTimeout, orElse: () => Effect.succeed([]) }), Effect.ensuring(Effect.sync(() => pendingRequests.delete(id))));
            return merge([...others, { process: `worker-${worker.id}`, text: yield* localMetrics }]);
        }),
    };
});
