import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect } from "effect";
import { defaults } from "@armoricore/realtime/socket/Limits";
import { eventually } from "@armoricore/testing/Eventually";
import { connect, joined, start } from "../support/TestServer.ts";
import { error } from "../support/Replies.ts";
describe("a socket's end", () => {
    it.live("stops its memberships: handlers and timers are interrupted, `leave` runs", () => Effect.gen(function* () {
        const server = yield* start();
        const client = yield* joined(server, "room:a");
        client.send("1", "2", "room:a", "linger", {});
        yield* client.next;
        client.send("1", "3", "room:a", "hang", {});
        yield* Effect.repeat(Effect.yieldNow, { while: () => !server.callLog.includes("hangs") });
        for (const socket of server.endpoint.sockets())
            socket.kick("enough");
        yield* Effect.repeat(Effect.yieldNow, { while: () => server.endpoint.size() > 0 });
        assert.deepStrictEqual(server.callLog, ["join a", "hangs", "hung", "leave a", "timer ended"]);
        assert.strictEqual(server.topics.subscriberCount("room:a"), 0);
    }));
    it.live("frames that are no message close with 1011", () => Effect.gen(function* () {
        const server = yield* start();
        const frames = [
            "",
            "x",
            "{}",
            "null",
            "[1]",
            '["1","1","t","e"]',
            '["1","1","t","e",{},0]',
            '["1","1",2,"e",{}]',
            '[{},"1","t","e",{}]',
        ];
        for (const frame of [...frames, Buffer.of(), Buffer.of(0), Buffer.of(9, 0, 0, 0, 0), Buffer.of(0, 9, 9, 9, 9)]) {
            const client = yield* connect(server);
            client.ws.send(frame);
            assert.strictEqual((yield* client.close).code, 1011);
        }
    }));
    it.live("an invalid payload gets an error reply and does not close the socket", () => Effect.gen(function* () {
        const client = yield* joined(yield* start(), "room:a");
        const deep = "[".repeat(10_000) + "]".repeat(10_000);
        for (const payload of ["null", "1", '"x"', "[]", '{"__proto__":{"text":"x"}}', deep]) {
            client.ws.send(`["1","2","room:a","echo",${payload}]`);
            assert.include(JSON.stringify(yield* client.next), '"reason":"invalid_payload"');
        }
    }));
    it.live("a message over the limit gets `too_large`; a frame over 1 MiB closes with 1009, invalid UTF-8 with 1007", () => Effect.gen(function* () {
        const server = yield* start();
        const client = yield* joined(server, "room:a");
        client.send("1", "2", "room:a", "echo", { text: "x".repeat(70_000) });
        assert.deepStrictEqual(yield* client.next, error("1", "2", "room:a", { reason: "too_large", limit: 65_536 }));
        client.send("1", "3", "room:a", "echo", { text: "x".repeat(1_100_000) });
        assert.strictEqual((yield* client.close).code, 1009);
        const other = yield* connect(server);
        other.ws.send(Buffer.of(0xff, 0xfe), { binary: false });
        assert.strictEqual((yield* other.close).code, 1007);
    }));
    it.live("2,000 messages at once all get replies in order, although reading pauses", () => Effect.gen(function* () {
        const client = yield* joined(yield* start({ limits: { maxPendingMessages: 8 } }), "room:a");
        for (let index = 0; index < 2000; index++)
            client.send("1", `${index}`, "room:a", "echo", { text: `${index}` });
        for (let index = 0; index < 2000; index++)
            assert.strictEqual((yield* client.next)[1], `${index}`);
    }));
    it.live("a flood of joins and token refreshes leaves one membership, and the socket stays usable", () => Effect.gen(function* () {
        const server = yield* start({ limits: { maxPendingMessages: 8 } });
        const client = yield* joined(server, "room:a");
        for (let index = 0; index < 300; index++) {
            client.send(`j${index}`, `j${index}`, "room:a", "phx_join", {});
            client.send(null, `t${index}`, "room:a", "access_token", { token: "forged" });
        }
        client.send(null, "last", "room:a", "echo", { text: "alive" });
        const awaited = new Set(["last", ...Array.from({ length: 300 }, (_, index) => `t${index}`)]);
        while (awaited.size > 0)
            awaited.delete(String((yield* client.next)[1]));
        assert.strictEqual(server.topics.subscriberCount("room:a"), 1);
        const lines = (word) => server.callLog.filter((line) => line.startsWith(word)).length;
        assert.strictEqual(lines("join") - lines("leave"), 1);
    }));
    it.live("a silent socket is closed with 1002, an active one stays open", () => Effect.gen(function* () {
        const limits = { idleTimeout: Duration.millis(600), sweepInterval: Duration.millis(10) };
        const client = yield* connect(yield* start({ limits }));
        const startedAt = Date.now();
        while (Date.now() - startedAt < 900)
            yield* client.nothing;
        assert.deepStrictEqual(yield* client.close, { code: 1002, reason: "idle_timeout" });
        assert.isAtLeast(Date.now() - startedAt, 900);
    }));
    it.live("a WebSocket ping counts as life", () => Effect.gen(function* () {
        const limits = { idleTimeout: Duration.millis(600), sweepInterval: Duration.millis(10) };
        const client = yield* connect(yield* start({ limits }));
        const startedAt = Date.now();
        while (Date.now() - startedAt < 900) {
            client.ws.ping();
            yield* Effect.sleep("20 millis");
            assert.isUndefined(client.closed);
        }
        assert.deepStrictEqual(yield* client.close, { code: 1002, reason: "idle_timeout" });
    }));
    it.effect("a heartbeat every 60.5 s keeps a socket open: one lost heartbeat and a delay are tolerated", () => Effect.sync(() => {
        assert.isAbove(Duration.toMillis(defaults.idleTimeout), 60_500 + Duration.toMillis(defaults.sweepInterval));
    }));
    it.live("a peer that vanished leaves its topics at the idle timeout, before the closing handshake ends", () => Effect.gen(function* () {
        // regression: it stayed in presence until the close timeout of 5 s.
        const limits = { idleTimeout: Duration.millis(150), sweepInterval: Duration.millis(10) };
        const server = yield* start({ limits });
        const client = yield* joined(server, "room:a");
        const startedAt = Date.now();
        client.ws.pause();
        yield* eventually(() => server.callLog.includes("leave a"));
        assert.isBelow(Date.now() - startedAt, 2000);
        assert.strictEqual(server.endpoint.size(), 0);
    }));
    it.live("a client that stops reading is closed when its queue is full, and others are not delayed", () => Effect.gen(function* () {
        const server = yield* start({ limits: { maxQueuedBytes: 100_000, closeTimeout: Duration.millis(100) } });
        const slow = yield* joined(server, "room:a", { user: "slow" });
        const quick = yield* joined(server, "room:a", { user: "quick" });
        slow.ws.pause();
        const text = "x".repeat(10_000);
        for (let sent = 0; server.endpoint.size() > 1; sent++) {
            server.topics.deliver("room:a", "said", { text });
            assert.deepStrictEqual(yield* quick.next, [null, null, "room:a", "said", { text }]);
            assert.isBelow(sent, 5000);
        }
        yield* quick.nothing;
    }));
});
