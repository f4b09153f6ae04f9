/** The unmodified official client against this server. */
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Exit, Scope } from "effect";
import { Socket } from "phoenix";
import { WebSocket } from "ws";
import { start } from "./support/TestServer.ts";
const open = Effect.fnUntraced(function* (server, options) {
    const socket = new Socket(server.url, {
        transport: WebSocket,
        reconnectAfterMs: () => 20,
        rejoinAfterMs: () => 20,
        ...options,
    });
    yield* Effect.addFinalizer(() => Effect.sync(() => socket.disconnect()));
    yield* Effect.callback((resume) => {
        socket.onOpen(() => resume(Effect.void));
        socket.connect();
    });
    return socket;
});
const connected = Effect.fnUntraced(function* (server, user = "u1") {
    return yield* open(server, { params: { token: yield* server.token(user) } });
});
/** The reply to a push. */
const answer = (push) => Effect.callback((resume) => {
    for (const status of ["ok", "error", "timeout"]) {
        push.receive(status, (response) => resume(Effect.succeed({ status, response })));
    }
});
const nextEvent = (channel, event) => Effect.callback((resume) => {
    channel.on(event, (payload) => resume(Effect.succeed(payload)));
});
describe("the official client", () => {
    it.live("connects, joins, pushes, receives, sends heartbeats and leaves", () => Effect.gen(function* () {
        const server = yield* start();
        const socket = yield* connected(server);
        const channel = socket.channel("room:a");
        assert.deepStrictEqual(yield* answer(channel.join()), { status: "ok", response: { room: "a" } });
        assert.deepStrictEqual(yield* answer(channel.push("echo", { text: "hi" })), {
            status: "ok",
            response: { text: "hi" },
        });
        const broadcast = nextEvent(channel, "said");
        channel.push("say", { text: "all" });
        assert.deepStrictEqual(yield* broadcast, { text: "all" });
        yield* Effect.callback((resume) => void socket.ping(() => resume(Effect.void)));
        assert.strictEqual((yield* answer(channel.leave())).status, "ok");
        // The client considers the channel left before the server handles the leave.
        yield* eventually(() => server.callLog.includes("leave a"));
        assert.strictEqual(channel.state, "closed");
    }));
    it.live("receives error replies, and its channel stays joined", () => Effect.gen(function* () {
        const socket = yield* connected(yield* start());
        const channel = socket.channel("room:a");
        yield* answer(channel.join());
        assert.deepStrictEqual(yield* answer(channel.push("limited", {})), {
            status: "error",
            response: { reason: "rate_limit", retry_after_ms: 1000 },
        });
        assert.strictEqual(channel.state, "joined");
        const failedJoin = yield* answer(socket.channel("nothing:1").join());
        assert.deepStrictEqual(failedJoin, { status: "error", response: { reason: "unmatched topic" } });
    }));
    it.live("joins again after a crash", () => Effect.gen(function* () {
        const server = yield* start();
        const socket = yield* connected(server);
        const channel = socket.channel("room:a");
        yield* answer(channel.join());
        let errors = 0;
        channel.onError(() => errors++);
        channel.push("crash", {});
        yield* eventually(() => errors === 1 && channel.state === "joined");
        assert.deepStrictEqual(server.callLog, ["join a", "leave a", "join a"]);
    }));
    it.live("replaces the first channel of a topic with the second", () => Effect.gen(function* () {
        const server = yield* start();
        const socket = yield* connected(server);
        const first = socket.channel("room:a");
        yield* answer(first.join());
        const second = socket.channel("room:a", { nick: "second" });
        assert.strictEqual((yield* answer(second.join())).status, "ok");
        assert.deepStrictEqual((yield* answer(second.push("nick", {}))).response, { text: "second" });
        yield* eventually(() => first.state === "closed");
    }));
    it.live("sends and receives bytes", () => Effect.gen(function* () {
        const socket = yield* connected(yield* start());
        const channel = socket.channel("room:a");
        yield* answer(channel.join());
        const { status, response } = yield* answer(channel.push("bytes", Uint8Array.of(1, 2, 3).buffer));
        assert.strictEqual(status, "ok");
        assert.deepStrictEqual(response, Uint8Array.of(1, 2, 3).buffer);
    }));
    it.live("sends its token as a subprotocol", () => Effect.gen(function* () {
        const server = yield* start();
        const token = yield* server.token("u1");
        const socket = yield* open(server, { authToken: () => token });
        assert.strictEqual((yield* answer(socket.channel("room:a").join())).status, "ok");
    }));
    it.live("reconnects and rejoins its channels after a restart of the server", () => Effect.gen(function* () {
        const life = yield* Scope.make();
        const server = yield* Scope.provide(start(), life);
        const socket = yield* connected(server);
        const closes = [];
        socket.onClose(({ code }) => closes.push(code));
        const channel = socket.channel("room:a");
        yield* answer(channel.join());
        yield* Scope.close(life, Exit.void);
        assert.deepStrictEqual(closes, [1012]);
        assert.deepStrictEqual(server.callLog, ["join a", "leave a"]);
        const successor = yield* start({}, server.port);
        yield* eventually(() => channel.state === "joined");
        const broadcast = nextEvent(channel, "said");
        successor.topics.deliver("room:a", "said", { text: "again" });
        assert.deepStrictEqual(yield* broadcast, { text: "again" });
    }));
});
