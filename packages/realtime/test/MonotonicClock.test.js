/** A change of the machine's date affects no timeout, limit or liveness check. */
import { expectNothingFor } from "@armoricore/testing/Eventually";
import { EventBus } from "@armoricore/bus/EventBus";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import { Cluster } from "@armoricore/realtime/cluster/Cluster";
import { assert, describe, it } from "@effect/vitest";
import { Clock, Context, Duration, Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
import { connect, start } from "./support/TestServer.ts";
/** The current clock, with a date that can be set. */
const movable = Effect.map(Clock.Clock, (clock) => {
    let offset = 0;
    const date = () => clock.currentTimeMillisUnsafe() + offset;
    const moved = Object.assign(Object.create(clock), {
        currentTimeMillisUnsafe: date,
        currentTimeMillis: Effect.sync(date),
    });
    return { clock: moved, move: (by) => void (offset += Duration.toMillis(by)) };
});
const topic = "comments:stream:s";
describe("a change of the date", () => {
    it.live("forward closes no socket as idle, and backward extends no rate limit", () => Effect.gen(function* () {
        const { clock, move } = yield* movable;
        const server = yield* start({
            limits: { sweepInterval: Duration.millis(20), userMessages: { perSecond: 20, burst: 3 } },
            commentRate: { perSecond: 10, burst: 1 },
        }).pipe(Effect.provideService(Clock.Clock, clock));
        const client = yield* connect(server);
        client.send("1", "1", topic, "phx_join", {});
        client.send("1", "2", topic, "new_comment", { content: "before" });
        for (const ref of ["1", "2"]) {
            let answer = yield* client.next;
            while (answer[1] !== ref)
                answer = yield* client.next;
            assert.strictEqual(answer[4]["status"], "ok");
        }
        move(Duration.minutes(5));
        yield* expectNothingFor("100 millis", () => client.closed !== undefined);
        move(Duration.minutes(-10));
        yield* expectNothingFor("400 millis", () => client.closed !== undefined);
        client.send("1", "3", topic, "new_comment", { content: "after" });
        let answer = yield* client.next;
        while (answer[1] !== "3")
            answer = yield* client.next;
        assert.strictEqual(answer[4]["status"], "ok");
    }));
    it.effect("backward keeps no crashed node in the cluster, and forward removes no live one", () => Effect.gen(function* () {
        const { clock, move } = yield* movable;
        const bus = Context.get(yield* Layer.build(MemoryBus.layer), EventBus);
        const node = Effect.gen(function* () {
            const line = { isDead: false };
            const own = {
                ...bus,
                broadcast: (...message) => (line.isDead ? Effect.void : bus.broadcast(...message)),
            };
            const services = yield* Layer.build(Layer.fresh(Cluster.layer())).pipe(Effect.provideService(EventBus, own), Effect.provideService(Clock.Clock, clock));
            return { ...Context.get(services, Cluster), line };
        });
        const [a, b] = [yield* node, yield* node];
        yield* TestClock.adjust("7 seconds");
        move(Duration.minutes(5));
        yield* TestClock.adjust("20 seconds");
        assert.deepStrictEqual([a.otherNodes(), b.otherNodes()], [[b.node], [a.node]]);
        move(Duration.minutes(-10));
        b.line.isDead = true;
        yield* TestClock.adjust("25 seconds");
        assert.deepStrictEqual(a.otherNodes(), []);
    }));
});
