/** Limits of a user who has sockets on several nodes. */
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Exit } from "effect";
import { make } from "../support/TestCluster.ts";
import { connect } from "../support/TestServer.ts";
const sweepInterval = Duration.millis(50);
const accepted = (client) => client.received.filter((message) => message.toString().includes('"status":"ok"')).length;
describe("a user on several nodes", () => {
    it.live("has one message allowance in the long run, and the whole of it on one node when the others are gone", () => Effect.gen(function* () {
        const { node } = yield* make({ limits: { sweepInterval, userMessages: { perSecond: 20, burst: 20 } } });
        const nodes = [yield* node(), yield* node(), yield* node()];
        const clients = yield* Effect.forEach(nodes, (one) => connect(one, { user: "busy" }));
        const speak = (who, times) => Effect.repeat(Effect.andThen(Effect.sync(() => {
            for (const client of who)
                client.send(null, "x", "phoenix", "heartbeat", {});
        }), Effect.sleep("20 millis")), { times });
        const count = () => clients.reduce((sum, client) => sum + accepted(client), 0);
        const begun = performance.now();
        yield* speak(clients, 150);
        const seconds = (performance.now() - begun) / 1000;
        // Three independent nodes would allow 3 × 20 at once and 3 × 20 a second.
        assert.isBelow(count(), 3 * 20 + 20 * seconds + 30);
        assert.isAbove(count(), 20 + 15 * seconds);
        const [a, b, c] = nodes;
        yield* b?.cut ?? Effect.void;
        yield* c?.kill ?? Effect.void;
        const before = count();
        yield* speak(clients.slice(0, 1), 150);
        assert.isAbove(count() - before, 30);
        assert.isDefined(a);
    }));
    it.live("has one socket limit over all nodes, and may connect again when sockets on other nodes are gone", () => Effect.gen(function* () {
        const { node } = yield* make({ limits: { sweepInterval, maxSocketsPerUser: 12 } });
        const [a, b] = [yield* node(), yield* node(), yield* node()];
        yield* Effect.repeat(connect(a, { user: "many" }), { times: 7 });
        const open = Effect.andThen(Effect.exit(connect(b, { user: "many" })), (exit) => Effect.as(Effect.sleep("150 millis"), exit));
        const exits = yield* Effect.forEach(Array.from({ length: 8 }), () => open);
        const opened = exits.filter(Exit.isSuccess).length;
        // Eight sockets are on the other node. Nodes report only users with a significant number, so the count is approximate.
        assert.isAtLeast(opened, 3);
        assert.isAtMost(opened, 5);
        assert.deepStrictEqual(exits.at(-1), Exit.fail(429));
        yield* a.drain;
        yield* eventually(() => a.endpoint.size() === 0);
        yield* eventually(Effect.map(open, Exit.isSuccess), { timeout: "5 seconds" });
    }));
});
