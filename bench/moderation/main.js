/**
 * How long a forbidden message can be seen: from its sending to the frame that takes it away, and from the verdict's
 * event to that frame; on another's socket, over memory adapters, one message after another. (Over memory the frame that
 * shows it comes in the same packet as the one that takes it away.)
 *
 * Usage: `node bench/moderation.ts [messages]` (default 300).
 */
import * as AiService from "@armoricore/ai/AiService";
import { Moderator } from "@armoricore/ai/moderation/Moderator";
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { Ledger } from "@armoricore/worker/ledger/Ledger";
import { runBenchmark } from "../cli.ts";
import { Console, Effect, Layer } from "effect";
import { FetchHttpClient } from "effect/http";
import { WebSocket } from "ws";
import * as TestServer from "../../packages/realtime/test/support/TestServer.ts";
const messages = Number(process.argv[2] ?? 300);
const topic = "chat:room:bench";
const moderation = AiService.layer().pipe(Layer.provide(Moderator.layer({ rules: { blockedWords: ["forbidden"], floodThreshold: messages + 1 } })), Layer.provide([FetchHttpClient.layer, Ledger.layer]));
/** Joined to the room. Every frame is given with its event's name. */
const join = (url, token, onFrame) => Effect.callback((resume) => {
    const socket = new WebSocket(`${url}/websocket?vsn=2.0.0&token=${token}`);
    socket.on("open", () => socket.send(JSON.stringify(["1", "1", topic, "phx_join", {}])));
    socket.on("message", (data) => {
        const frame = JSON.parse(String(data));
        if (!Array.isArray(frame))
            return;
        if (frame[1] === "1")
            resume(Effect.succeed(socket));
        onFrame(frame[3]);
    });
    return Effect.sync(() => socket.close());
});
const line = (name, times) => {
    const sorted = times.toSorted((a, b) => a - b);
    const at = (part) => (sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN).toFixed(2);
    return Console.log(`${name}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms (${sorted.length} messages)`);
};
const bench = Effect.gen(function* () {
    const server = yield* TestServer.start();
    yield* Effect.gen(function* () {
        yield* Layer.build(moderation);
        const bus = yield* EventBus;
        const sent = [];
        const judged = [];
        const removed = [];
        let next = () => { };
        const turn = () => {
            if (removed.length === sent.length && judged.length === sent.length)
                next();
        };
        yield* bus.consume({ name: "bench", from: event("moderation.flagged"), concurrency: 1 }, () => Effect.sync(() => {
            judged.push(performance.now());
            turn();
            return { _tag: "Ack" };
        }));
        const writer = yield* join(server.url, yield* server.token("writer"), () => { });
        const reader = yield* join(server.url, yield* server.token("reader"), (name) => {
            if (name !== "message_removed")
                return;
            removed.push(performance.now());
            turn();
        });
        for (let index = 0; index < messages; index++) {
            yield* Effect.callback((resume) => {
                next = () => resume(Effect.void);
                sent.push(performance.now());
                writer.send(JSON.stringify(["1", `m${index}`, topic, "new_message", { content: `forbidden ${index}` }]));
            }).pipe(Effect.timeout("10 seconds"));
        }
        const since = (from) => removed.map((time, index) => time - (from[index] ?? Number.NaN));
        yield* line("sent → removed", since(sent));
        yield* line("verdict on the bus → removed", since(judged));
        writer.close();
        reader.close();
    }).pipe(Effect.provide(server.services));
});
runBenchmark(bench);
