/**
 * Clients that return to much missed content, on a fast and on a slow link: every join is answered at the first try, no
 * socket is closed, and a socket's queue stays below its limit. The official client waits 10 s for the reply to a join.
 */
import { channel } from "@armoricore/client";
import { RoomLog } from "@armoricore/realtime/rooms/RoomLog";
import { defaults } from "@armoricore/realtime/socket/Limits";
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Context, Duration, Effect } from "effect";
import { Socket } from "phoenix";
import { WebSocket } from "ws";
import * as ThrottlingProxy from "../support/ThrottlingProxy.ts";
import { connect, start } from "../support/TestServer.ts";
const slowLink = 64 * 1024;
const topicsOf = (rooms) => Array.from({ length: rooms }, (_, index) => `chat:room:r${index}`);
/** Appends messages to each room. Returns the `seq` of the first message of each room. */
const fill = Effect.fnUntraced(function* (server, topics, count, size) {
    const roomLog = Context.get(server.services, RoomLog);
    const content = "x".repeat(size);
    const firstSeqs = new Map();
    for (const topic of topics) {
        for (let index = 0; index < count; index++) {
            const id = `${topic}-${index}`;
            const payload = { id, content, user_id: "writer", room_id: topic.slice(10), timestamp: "2026-01-31T12:00:00Z" };
            const { seq } = yield* roomLog.append(topic, { event: "new_message", id, payload });
            if (index === 0)
                firstSeqs.set(topic, seq);
        }
    }
    return firstSeqs;
});
/** The official client behind a link of this rate. Records the closes of its connection. */
const connected = Effect.fnUntraced(function* (server, bytesPerSecond) {
    const port = bytesPerSecond === undefined ? server.port : yield* ThrottlingProxy.make(server.port, bytesPerSecond);
    const socket = new Socket(`ws://127.0.0.1:${port}/socket`, {
        params: { token: yield* server.token("u1") },
        transport: WebSocket,
        reconnectAfterMs: () => 20,
    });
    yield* Effect.addFinalizer(() => Effect.sync(() => socket.disconnect()));
    const closes = [];
    socket.onClose((event) => closes.push(event));
    socket.connect();
    return { socket, closes };
});
/** The most bytes that were queued for one socket. */
const recordQueue = Effect.fnUntraced(function* (server) {
    let most = 0;
    const record = Effect.sync(() => {
        for (const { queuedBytes } of server.endpoint.sockets())
            most = Math.max(most, queuedBytes);
    });
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(record, Effect.sleep("5 millis"))));
    return () => most;
});
const cases = [
    { name: "two rooms of 50 messages of 16 KB", rooms: 2, count: 50, size: 16_000, isContinued: false },
    { name: "100 rooms of 50 messages of 200 characters", rooms: 100, count: 50, size: 200, isContinued: false },
    { name: "`since` after 1,000 messages in four rooms", rooms: 4, count: 1000, size: 200, isContinued: true },
];
describe.each([
    ["at full speed", undefined],
    ["at 64 KB/s", slowLink],
])("joins %s", (_, rate) => {
    it.live.each(cases)("$name: every join succeeds at the first attempt", ({ rooms, count, size, isContinued }) => Effect.gen(function* () {
        // regression: the replies overflowed the queue before a byte was sent, and the socket was closed with 4008 for ever.
        const server = yield* start();
        const topics = topicsOf(rooms);
        const firstSeqs = yield* fill(server, topics, count, size);
        const { socket, closes } = yield* connected(server, rate);
        const most = yield* recordQueue(server);
        const replies = [];
        const failures = [];
        for (const topic of topics) {
            socket
                .channel(topic, isContinued ? { since: firstSeqs.get(topic) } : {})
                .join()
                .receive("ok", ({ messages, recovered, more }) => {
                if (!Array.isArray(messages) || messages.length === 0 || recovered !== true)
                    failures.push("incomplete");
                if (Array.isArray(messages) && messages.length < count - (isContinued ? 1 : 0) && more !== true)
                    failures.push("no `more`");
                replies.push(topic);
            })
                .receive("error", () => failures.push("error"))
                .receive("timeout", () => failures.push("timeout"));
        }
        yield* eventually(() => replies.length + failures.length >= rooms);
        assert.deepStrictEqual([failures, closes], [[], []]);
        assert.isBelow(most(), defaults.maxQueuedBytes / 2);
    }));
});
describe("a client at 64 KB/s with 100 busy rooms", () => {
    it.live("receives everything that it missed, in parts, while new messages arrive", () => Effect.gen(function* () {
        const missed = 20;
        const server = yield* start({ limits: { maxQueuedBytes: 131_072 } });
        const topics = topicsOf(100);
        const firstSeqs = yield* fill(server, topics, missed + 1, 10);
        const { socket, closes } = yield* connected(server, slowLink);
        const most = yield* recordQueue(server);
        const ids = new Set();
        let behind = topics.length;
        for (const topic of topics) {
            const room = channel(socket, topic, { since: firstSeqs.get(topic) ?? 0 });
            const add = ({ id }) => ids.add(id);
            room.onJoin(({ messages, more }) => {
                messages.forEach(add);
                if (!more)
                    behind--;
            });
            room.onCatchUp(({ messages, more }) => {
                messages.forEach(add);
                if (!more)
                    behind--;
            });
            room.on("new_message", add);
            void room.join();
        }
        const roomLog = Context.get(server.services, RoomLog);
        for (let index = 0; index < 100; index++) {
            const topic = topics[index] ?? "";
            const id = `${topic}-live`;
            const payload = {
                id,
                content: "live",
                user_id: "writer",
                room_id: topic.slice(10),
                timestamp: "2026-01-31T12:00:00Z",
            };
            yield* roomLog.append(topic, { event: "new_message", id, payload });
            yield* Effect.sleep("10 millis");
        }
        yield* eventually(() => behind === 0 && ids.size === topics.length * (missed + 1), { timeout: "30 seconds" });
        assert.deepStrictEqual(closes, []);
        assert.isBelow(most(), 131_072);
    }), 60_000);
});
describe("a client that sends more requests for history than may wait for a reply", () => {
    const flood = Effect.fnUntraced(function* (server, pages) {
        yield* fill(server, ["chat:room:r0"], 20, 4000);
        const client = yield* connect(server);
        client.send("1", "1", "chat:room:r0", "phx_join", { last: 0 });
        yield* client.next;
        for (let index = 0; index < pages; index++)
            client.send("1", `h${index}`, "chat:room:r0", "history", {});
        return client;
    });
    it.live("receives all pages, although the socket is not read meanwhile", () => Effect.gen(function* () {
        // regression: the replies waited for a pong, and the socket did not read it because the requests waited for replies.
        const client = yield* flood(yield* start({ limits: { maxPendingMessages: 8 } }), 100);
        for (let index = 0; index < 100; index++)
            assert.strictEqual((yield* client.next)[1], `h${index}`);
    }));
    it.live("is closed as idle when it reads none of them", () => Effect.gen(function* () {
        // regression: a socket with too many requests was never idle, so a client that stopped reading stayed for ever.
        const timeouts = { idleTimeout: Duration.millis(300), sweepInterval: Duration.millis(20) };
        const server = yield* start({ limits: { maxPendingMessages: 8, ...timeouts } });
        const client = yield* flood(server, 1000);
        client.ws.pause();
        yield* eventually(() => server.endpoint.sockets().length === 0);
    }));
});
