/**
 * The process under test, once with telemetry and once without, side by side: the worker loop and the sockets of each.
 * With telemetry it exports to the collector of the bench, counts its fibers, looks at itself, and is scraped every second.
 */
import { createServer } from "node:http";
import { event as eventAddress } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import * as Revocations from "@armoricore/auth/Revocations";
import * as Tokens from "@armoricore/auth/Tokens";
import * as Logs from "@armoricore/armoricore/telemetry/Logs";
import { Settings } from "@armoricore/armoricore/settings/Settings";
import * as Telemetry from "@armoricore/armoricore/telemetry/Telemetry";
import * as Exposition from "@armoricore/armoricore/telemetry/Exposition";
import * as ProcessMetrics from "@armoricore/armoricore/telemetry/ProcessMetrics";
import { Redactor } from "@armoricore/armoricore/telemetry/Redactor";
import * as TracedBus from "@armoricore/armoricore/telemetry/TracedBus";
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory";
import { Endpoint } from "@armoricore/realtime/socket/Endpoint";
import * as Realtime from "@armoricore/realtime/Realtime";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { emit, Ledger, on, Worker } from "@armoricore/worker";
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { ConfigProvider, Context, Deferred, Effect, Layer, Queue, Redacted } from "effect";
import { secret } from "../realtime/Protocol.ts";
const [collector = "", events = "", broadcasts = "", rounds = ""] = process.argv.slice(2);
const settingsOf = (env) => Settings.layer.pipe(Layer.provide(NodeServices.layer), Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({ LOG_FORMAT: "json", ...env }))));
const withoutTelemetry = Logs.withDynamicLevel.pipe(Layer.provideMerge(Logs.layer), Layer.provideMerge(settingsOf({})));
const scrapeMetrics = Layer.effectDiscard(Effect.gen(function* () {
    const { redact } = yield* Redactor;
    yield* Effect.forkScoped(Effect.forever(Effect.delay(Exposition.render(Exposition.localMetrics, redact), "1 second")));
}));
const withTelemetry = Layer.mergeAll(Logs.withDynamicLevel, ProcessMetrics.layer, scrapeMetrics).pipe(Layer.provideMerge(Layer.merge(Telemetry.layer, ProcessMetrics.countFibers)), Layer.provideMerge(Logs.layer), Layer.provideMerge(settingsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: collector })));
const unlimitedRate = { perSecond: 1e6, burst: 1e6 };
const limits = { maxSocketsPerAddress: 100_000, maxSocketsPerUser: 100_000, addressJoins: unlimitedRate };
const service = Realtime.layer({ limits }).pipe(Layer.provideMerge(Revocations.layer), Layer.provideMerge(Ledger.layer), Layer.provideMerge(Layer.mergeAll(TracedBus.layer.pipe(Layer.provide(MemoryBus.layer)), MemoryHistory.layer(), MemoryState.layer, Tokens.layer({ keys: { _tag: "Secret", secret: Redacted.make(secret) } }))));
const body = (type, source, payload) => new TextEncoder().encode(JSON.stringify({
    event_type: type,
    event_id: crypto.randomUUID(),
    timestamp: "2026-01-31T12:00:00+01:00",
    source,
    payload,
}));
const uploaded = { media_id: "m", user_id: "u", file_path: "s3://media/a.mp4" };
const playable = { media_id: "m1", user_id: "u", playback_urls: { hls: "https://example.com/a.m3u8", mp4: {} } };
/** One of the two; ends with the scope. */
const runSide = Effect.fnUntraced(function* (telemetry) {
    const context = yield* Layer.build(service.pipe(Layer.provideMerge(telemetry)));
    const bus = Context.get(context, EventBus);
    const { handleRequest, handleUpgrade } = Context.get(context, Endpoint);
    const server = createServer();
    server.on("upgrade", handleUpgrade);
    server.on("request", handleRequest);
    const port = yield* Effect.callback((resume) => {
        server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () => {
            const address = server.address();
            resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0));
        });
    });
    let left = 0;
    let done = Deferred.makeUnsafe();
    yield* Worker.run("media", [
        on("media.uploaded", {
            concurrency: 64,
            // Every event has a result, which is published.
            handle: ({ payload }) => Effect.sync(() => {
                if (--left === 0)
                    Deferred.doneUnsafe(done, Effect.void);
                return [emit("media.failed", { ...playable, media_id: payload.media_id, error, failed_at: at })];
            }),
            onFailure: () => [],
        }),
    ]).pipe(Effect.provideContext(context));
    const work = (count) => Effect.gen(function* () {
        left = count;
        done = Deferred.makeUnsafe();
        for (let n = 0; n < count; n++) {
            const id = crypto.randomUUID();
            const given = body("media.uploaded", "php-backend", uploaded);
            yield* bus.publish({ address: eventAddress("media.uploaded"), id, body: given });
        }
        yield* Deferred.await(done);
    }).pipe(Effect.provideContext(context));
    const fanOut = (count) => Effect.forEach(Array.from({ length: count }, () => body("media.playable", "media", playable)), (given) => bus.publish({ address: eventAddress("media.playable"), id: crypto.randomUUID(), body: given }), { discard: true }).pipe(Effect.provideContext(context));
    return { port, work, fanOut };
});
const error = { code: "bench", message: "a result of the bench" };
const at = "2026-01-31T11:00:00Z";
const cpu = (effect) => Effect.suspend(() => {
    const before = process.cpuUsage();
    return Effect.map(effect, () => {
        const { system, user } = process.cpuUsage(before);
        return system + user;
    });
});
const send = (message) => Effect.sync(() => void process.send?.(message));
const program = Effect.gen(function* () {
    const inbox = yield* Queue.unbounded();
    process.on("message", (message) => void Queue.offerUnsafe(inbox, message));
    process.on("disconnect", () => process.exit(0));
    const off = yield* runSide(withoutTelemetry);
    const on = yield* runSide(withTelemetry);
    yield* send({ said: "listening", off: off.port, on: on.port });
    yield* Queue.take(inbox);
    const batch = 20;
    const fanOut = (one, which) => Effect.forEach(Array.from({ length: Number(broadcasts) / batch }), () => Effect.andThen(Effect.andThen(send({ said: "sent", which, broadcasts: batch }), one.fanOut(batch)), Queue.take(inbox)), { discard: true });
    for (let round = 0; round <= Number(rounds); round++) {
        const found = { said: "round", worker: { on: 0, off: 0 }, fanOut: { on: 0, off: 0 } };
        const sides = [["on", on], ["off", off]];
        // By turns: neither always comes first.
        if (round % 2 === 1)
            sides.reverse();
        const figures = { worker: { ...found.worker }, fanOut: { on: 0, off: 0 } };
        for (const [name, one] of sides)
            figures.worker[name] = (yield* cpu(one.work(Number(events)))) / Number(events);
        for (const [name, one] of sides)
            figures.fanOut[name] = (yield* cpu(fanOut(one, name))) / Number(broadcasts);
        // The first one is for the compiler.
        if (round > 0)
            yield* send({ said: "round", ...figures });
    }
    yield* send({ said: "ended" });
    return yield* Effect.never;
});
NodeRuntime.runMain(Effect.scoped(program));
