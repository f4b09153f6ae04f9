/** Queries and actions of operators, over real sockets. */
import { RealtimeAdmin } from "@armoricore/realtime/admin/RealtimeAdmin";
import { assert, describe, it } from "@effect/vitest";
import { Context, Effect } from "effect";
import { connect, joined, start } from "../support/TestServer.ts";
const one = Effect.gen(function* () {
    const server = yield* start();
    return { server, operator: Context.get(server.services, RealtimeAdmin) };
});
describe("RealtimeAdmin", () => {
    it.live("lists sockets and rooms", () => Effect.gen(function* () {
        const { server, operator } = yield* one;
        const alice = yield* joined(server, "room:a", { user: "alice" });
        alice.send("2", "2", "room:b", "phx_join", {});
        yield* alice.next;
        yield* joined(server, "room:b", { user: "bob" });
        const { items, truncated, unresponsive } = yield* operator.sockets();
        assert.deepStrictEqual([truncated, unresponsive], [false, []]);
        assert.deepStrictEqual(items.map(({ userId, topics, address }) => [userId, topics, address]), [
            ["alice", ["room:a", "room:b"], "127.0.0.1"],
            ["bob", ["room:b"], "127.0.0.1"],
        ]);
        assert.strictEqual((yield* operator.sockets({ topic: "room:a" })).items.length, 1);
        assert.isTrue((yield* operator.sockets({ limit: 1 })).truncated);
        const rooms = yield* operator.rooms({ prefix: "room:" });
        assert.deepStrictEqual(rooms.items.map(({ topic, members }) => [topic, members]), [
            ["room:b", 2],
            ["room:a", 1],
        ]);
        assert.deepStrictEqual((yield* operator.nodes).items[0]?.sockets, 2);
    }));
    it.live("kick closes a user's sockets with the operator's reason", () => Effect.gen(function* () {
        const { server, operator } = yield* one;
        const alice = yield* connect(server, { user: "alice" });
        const bob = yield* connect(server, { user: "bob" });
        assert.strictEqual((yield* operator.kick({ userId: "alice" }, { reason: "é".repeat(100) })).kicked, 1);
        assert.deepStrictEqual(yield* alice.close, { code: 4002, reason: "é".repeat(60) });
        yield* bob.nothing;
        assert.strictEqual((yield* operator.kick({ userId: "nobody" }, { reason: "x" })).kicked, 0);
    }));
    it.live("kick from one topic leaves the socket's other topics open", () => Effect.gen(function* () {
        const { server, operator } = yield* one;
        const alice = yield* joined(server, "room:a", { user: "alice" });
        alice.send("2", "2", "room:b", "phx_join", {});
        yield* alice.next;
        const kicked = yield* operator.kick({ userId: "alice" }, { reason: "spam", topic: "room:a" });
        assert.strictEqual(kicked.kicked, 1);
        assert.deepStrictEqual(yield* alice.next, ["1", "1", "room:a", "phx_close", { reason: "spam" }]);
        alice.send("1", "3", "room:a", "ping", {});
        const [, ref, , , { status }] = yield* alice.next;
        assert.deepStrictEqual([ref, status], ["3", "error"]);
        assert.deepStrictEqual((yield* operator.sockets()).items[0]?.topics, ["room:b"]);
    }));
    it.live("ban closes the user's sockets", () => Effect.gen(function* () {
        const { server, operator } = yield* one;
        const alice = yield* connect(server, { user: "alice" });
        yield* operator.ban({ userId: "alice" });
        assert.deepStrictEqual(yield* alice.close, { code: 4001, reason: "revoked" });
    }));
});
