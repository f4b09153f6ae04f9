/**
 * Clients that stop reading a busy room: their sockets are closed, memory stays bounded, other clients are not delayed.
 */
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect } from "effect";
import { joined, start } from "../support/TestServer.ts";
describe("slow consumers", () => {
    it.live("20 paused sockets in a room with 10,000 messages a second are closed with 4008", () => Effect.gen(function* () {
        const server = yield* start({ limits: { maxQueuedBytes: 262_144, closeTimeout: Duration.seconds(60) } });
        const slow = yield* Effect.forEach(Array.from({ length: 20 }, (_, index) => `slow-${index}`), (user) => joined(server, "room:a", { user }));
        for (const client of slow)
            client.ws.pause();
        const quick = yield* joined(server, "room:a", { user: "quick" });
        const before = process.memoryUsage().rss;
        const text = "x".repeat(200);
        const latencies = [];
        // 100 messages every 10 ms.
        for (let tick = 0; tick < 300; tick++) {
            const sentAt = performance.now();
            for (let n = 0; n < 100; n++)
                server.topics.deliver("room:a", "said", { text: `${tick}-${n} ${text}` });
            for (let n = 0; n < 100; n++) {
                assert.include(String((yield* quick.next)[4]["text"]), `${tick}-${n} `);
            }
            latencies.push(performance.now() - sentAt);
            yield* Effect.sleep(Duration.millis(Math.max(0, 10 - (performance.now() - sentAt))));
        }
        latencies.sort((a, b) => a - b);
        assert.isBelow(process.memoryUsage().rss - before, 150_000_000);
        assert.isBelow(latencies[Math.floor(latencies.length / 2)] ?? Number.NaN, 50);
        yield* quick.nothing;
        // A client that resumes before the close timeout receives the close code.
        for (const client of slow)
            client.ws.resume();
        for (const client of slow) {
            assert.deepStrictEqual(yield* client.close, { code: 4008, reason: "slow_consumer" });
        }
        yield* eventually(() => server.endpoint.size() === 1);
    }), 60_000);
});
