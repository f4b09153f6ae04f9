/** Tests the channel with the official `phoenix` client over a real HTTP server; all adapters are in memory. */
import * as Revocations from "@armoricore/auth/Revocations";
import { Tokens } from "@armoricore/auth/Tokens";
import { Endpoint, Realtime } from "@armoricore/realtime";
import { Testing } from "@armoricore/testing";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Layer } from "effect";
import { createServer } from "node:http";
import { Socket } from "phoenix";
import { WebSocket } from "ws";
import * as PollChannel from "./PollChannel.ts";
/** The custom channel in addition to the built-in ones. */
const service = PollChannel.layer.pipe(Layer.provideMerge(Realtime.layer()), Layer.provideMerge(Revocations.layer), Layer.provideMerge(Testing.layer));
const listen = Effect.gen(function* () {
    const endpoint = yield* Endpoint;
    const server = createServer();
    server.on("upgrade", (request, socket, head) => endpoint.handleUpgrade(request, socket, head));
    return yield* Effect.acquireRelease(Effect.callback((resume) => {
        server.listen(0, "127.0.0.1", () => {
            const address = server.address();
            const port = typeof address === "object" && address !== null ? address.port : 0;
            resume(Effect.succeed(`ws://127.0.0.1:${port}/socket`));
        });
    }), () => Effect.sync(() => server.close()));
});
const connect = Effect.fnUntraced(function* (url, userId) {
    const token = yield* Effect.flatMap(Tokens, (tokens) => tokens.sign({ userId, ttl: Duration.hours(1) }));
    return yield* Effect.acquireRelease(Effect.sync(() => {
        const socket = new Socket(url, { params: { token }, transport: WebSocket });
        socket.connect();
        return socket;
    }), (socket) => Effect.sync(() => socket.disconnect()));
});
const join = (channel) => Effect.callback((resume) => {
    channel.join().receive("ok", (reply) => resume(Effect.succeed(reply)));
});
const push = (channel, event, payload) => Effect.callback((resume) => {
    channel
        .push(event, payload)
        .receive("ok", (reply) => resume(Effect.succeed(reply)))
        .receive("error", (error) => resume(Effect.fail(error)));
});
describe("PollChannel", () => {
    it.live("all members receive the tally, and each user has one vote", () => Effect.gen(function* () {
        const url = yield* listen;
        const [ada, grace] = [yield* connect(url, "ada"), yield* connect(url, "grace")];
        const [adaChannel, graceChannel] = [ada.channel("poll:lunch", {}), grace.channel("poll:lunch", {})];
        assert.deepStrictEqual(yield* join(adaChannel), { yes: 0, no: 0 });
        yield* join(graceChannel);
        const nextTally = Effect.callback((resume) => {
            graceChannel.on("tally", (tally) => resume(Effect.succeed(tally)));
        });
        const [tally, reply] = yield* Effect.all([nextTally, push(adaChannel, "vote", { answer: "yes" })], {
            concurrency: 2,
        });
        assert.deepStrictEqual(tally, { yes: 1, no: 0 });
        assert.deepStrictEqual(reply, tally);
        const secondVote = yield* Effect.flip(push(adaChannel, "vote", { answer: "no" }));
        assert.deepStrictEqual(secondVote, { reason: "unauthorized", message: "one vote each" });
        const invalidVote = yield* Effect.flip(push(graceChannel, "vote", { answer: "maybe" }));
        assert.deepInclude(invalidVote, { reason: "invalid_payload", path: "answer" });
    }).pipe(Effect.provide(service)));
});
