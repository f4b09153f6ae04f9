/** A worker of a service that has one effect: it records each upload with the sink, and tells `media.playable`. */
import { TransientError } from "@armoricore/domain/Errors";
import { emit, Ledger, MaxExpiredLeases, on, RetryPolicy, Worker } from "@armoricore/worker";
import { Duration, Effect, Layer } from "effect";
import * as FaultInjection from "./FaultInjection.ts";
import { busAndState, untilSigterm, warningsOnStderr } from "./Adapters.ts";
const sink = process.env["CHAOS_SINK"] ?? "";
const workMillis = Number(process.env["CHAOS_WORK_MILLIS"] ?? 20);
const recordEffect = (id, token) => Effect.tryPromise({
    try: () => fetch(sink, { method: "POST", body: JSON.stringify({ id, token }), signal: AbortSignal.timeout(2_000) }),
    catch: (cause) => new TransientError({ dependency: "sink", code: "unavailable", message: "the sink is away", cause }),
});
const handler = on("media.uploaded", {
    concurrency: 4,
    ackWait: FaultInjection.lease,
    handle: ({ event_id, payload }, { fencingToken }) => Effect.gen(function* () {
        yield* Effect.sleep(workMillis);
        yield* FaultInjection.maybeCrash("before-effect");
        yield* recordEffect(event_id, fencingToken);
        yield* FaultInjection.maybeCrash("after-effect");
        const { media_id, user_id } = payload;
        return [emit("media.playable", { media_id, user_id, playback_urls: { hls: "h", mp4: {} } })];
    }),
    onFailure: ({ payload: { media_id, user_id } }, error, failed_at) => [
        emit("media.failed", { media_id, user_id, error, failed_at }),
    ],
});
const workerSettings = Layer.mergeAll(Layer.succeed(RetryPolicy, { maxAttempts: 1_000, base: Duration.millis(100), cap: Duration.seconds(1) }), Layer.succeed(MaxExpiredLeases, 1_000), Layer.succeed(Worker.WorkerTimeouts, {
    leaseDuration: FaultInjection.lease,
    drainTimeout: Duration.seconds(5),
    misconfigurationDelay: Duration.seconds(1),
}), warningsOnStderr);
const ports = Layer.mergeAll(FaultInjection.bus, FaultInjection.ledger.pipe(Layer.provide(Ledger.layer))).pipe(Layer.provide(busAndState));
const program = Effect.scoped(Effect.gen(function* () {
    yield* Worker.run("media", [handler]);
    yield* Effect.sync(() => void process.stdout.write("ready\n"));
    yield* untilSigterm;
}));
await Effect.runPromise(program.pipe(Effect.provide(ports), Effect.provide(workerSettings)));
process.exit(0);
