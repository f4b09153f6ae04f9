/** The history on three servers: each has a copy, and a copy may be a moment behind what was said. */
import * as NatsConnection from "@armoricore/nats/NatsConnection";
import { History } from "@armoricore/history/History";
import * as NatsHistory from "@armoricore/history/nats/NatsHistory";
import * as NatsCluster from "@armoricore/testing/NatsCluster";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Context, Effect, Layer, Schedule } from "effect";
const rounds = Array.from({ length: 60 }, (_, index) => index);
describe.skipIf(Programs.requireProgram("nats-server").missing)("on a cluster of NATS", () => {
    it.live("an appended item is visible on every node at once, and is never reported as removed", () => Effect.gen(function* () {
        const { urls } = yield* NatsCluster.make();
        const nodes = yield* Effect.forEach(urls, (url) => Effect.map(Layer.build(Layer.fresh(NatsHistory.layer({ replicas: 3 }).pipe(Layer.provide(NatsConnection.layer({ servers: [url] }))))), (services) => Context.get(services, History)));
        const everywhere = (ask) => Effect.forEach([...nodes, ...nodes], ask, { concurrency: "unbounded" });
        const [first] = nodes;
        assert.isDefined(first);
        // A cluster that just began has no leader yet.
        yield* Effect.retry(first.setup, Schedule.spaced("250 millis"));
        for (const round of rounds) {
            const room = `room:${round}`;
            const added = yield* everywhere((node) => node.append(room, "one", new Uint8Array([1])));
            assert.deepStrictEqual(added.map((one) => one._tag), added.map(() => "Appended"));
            yield* first.append(`${room}:other`, "two", new Uint8Array([2]));
            for (const { complete, items } of yield* everywhere((node) => node.read(`${room}:other`, { limit: 10 }))) {
                assert.isTrue(complete);
                assert.lengthOf(items, 1);
            }
        }
    }), 60_000);
});
