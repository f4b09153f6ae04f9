/** The guarantees of NATS_REPLICAS on a cluster of three servers. */
import { eventually } from "@armoricore/testing/Eventually";
import * as NatsCluster from "@armoricore/testing/NatsCluster";
import * as Programs from "@armoricore/testing/Programs";
import { describe, it } from "@effect/vitest";
import { Duration, Effect, Logger, Queue } from "effect";
import * as Address from "../../src/Address.ts";
import { EventBus } from "../../src/EventBus.ts";
import * as NatsBus from "../../src/nats/NatsBus.ts";
import { NatsConnection } from "@armoricore/nats/NatsConnection";
const program = Programs.requireProgram("nats-server");
const maxBytes = 16 * 1024 ** 2;
const from = Address.event("media.ready");
const streams = ["ARMORICORE", "ARMORICORE_WORK", "ARMORICORE_DEAD", "ARMORICORE_ADVISORY", "OBJ_ARMORICORE_DEAD"];
const send = (bus, id) => bus
    .publish({ address: from, id, body: new TextEncoder().encode(id) })
    .pipe(Effect.retry({ while: (error) => error._tag === "TransientError" }), Effect.timeout("30 seconds"));
const copies = Effect.gen(function* () {
    const { manager } = yield* (yield* NatsConnection).jetstream;
    return yield* Effect.forEach(streams, (name) => Effect.map(Effect.tryPromise(() => manager.streams.info(name)), ({ config }) => config.num_replicas));
});
/** A stream whose replicas change has no leader for a while, and only a leader answers. */
const haveCopies = (replicas) => eventually(Effect.orElseSucceed(copies, () => []), (found) => found.length === streams.length && found.every((found) => found === replicas), { interval: "100 millis", timeout: "40 seconds" });
/** Every member has every stream and the consumer. */
const whole = Effect.gen(function* () {
    const { manager } = yield* (yield* NatsConnection).jetstream;
    const clusters = yield* Effect.tryPromise(async () => [
        ...(await Promise.all(streams.map(async (name) => (await manager.streams.info(name)).cluster))),
        (await manager.consumers.info("ARMORICORE", "worker")).cluster,
    ]);
    return clusters.every((cluster) => cluster?.leader !== undefined && cluster.replicas?.every(({ current }) => current) === true);
}).pipe(Effect.orElseSucceed(() => false), (isWhole) => eventually(isWhole, { interval: "100 millis", timeout: "40 seconds" }));
describe.skipIf(program.missing)("a NATS cluster of three", () => {
    it.live("keeps three copies of everything; whichever member is killed, no event is lost and work goes on", () => Effect.gen(function* () {
        const { members, urls } = yield* NatsCluster.make();
        const on = (replicas) => NatsBus.layerWithConnection({ servers: urls, replicas, maxBytes });
        // The members may still be choosing their leader.
        const setup = Effect.flatMap(EventBus, (bus) => bus.setup([{ name: "worker", from }])).pipe(Effect.retry({ while: (error) => error._tag === "TransientError" }), Effect.timeout("40 seconds"));
        // Streams created with one replica are changed to three.
        yield* Effect.andThen(setup, haveCopies(1)).pipe(Effect.provide(on(1)));
        yield* Effect.gen(function* () {
            const bus = yield* EventBus;
            yield* setup;
            yield* haveCopies(3);
            const got = yield* Queue.unbounded();
            yield* bus.consume({ name: "worker", from, concurrency: 4, ackWait: Duration.seconds(2) }, ({ id }) => Effect.as(Queue.offer(got, id), { _tag: "Ack" }));
            for (const [index, member] of members.slice(0, 2).entries()) {
                yield* member.kill;
                yield* send(bus, `without ${index}`);
                // A message acknowledged to the killed member may be redelivered.
                yield* Queue.take(got).pipe(Effect.repeat({ until: (id) => id === `without ${index}` }), Effect.timeout("30 seconds"));
                yield* member.restart;
                // Two of three replicas must be current before the next member dies; otherwise the stream has no quorum.
                yield* whole;
            }
        }).pipe(Effect.scoped, Effect.provide(on(3)));
    }).pipe(Effect.provide(Logger.layer([]))), 180_000);
});
