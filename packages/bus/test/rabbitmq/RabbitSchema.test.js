/** The schema version: written at the first setup, adopted where it is missing, refused where it is newer. */
import * as Programs from "@armoricore/testing/Programs";
import * as RabbitServer from "@armoricore/testing/RabbitServer";
import { assert, it } from "@effect/vitest";
import { Effect, Layer, Logger } from "effect";
import { Connection } from "rabbitmq-client";
import * as Address from "../../src/Address.ts";
import { EventBus } from "../../src/EventBus.ts";
import * as RabbitBus from "../../src/rabbitmq/RabbitBus.ts";
const queue = "armoricore.schema";
const address = Address.event("media.ready");
it.live.skipIf(Programs.requireProgram("rabbitmq-server").missing)("the queues on RabbitMQ are numbered once, taken over where they are not, and refused where they are newer", () => Effect.gen(function* () {
    const { newUrl } = yield* RabbitServer.make({ virtualHosts: 1 });
    const url = yield* newUrl;
    const layer = Layer.fresh(RabbitBus.layer({ servers: [url], maxBytes: 64 * 1024 ** 2, newQueueDelay: 0 }));
    const setup = Effect.provide(Effect.flatMap(EventBus, (bus) => bus.setup([{ name: "worker", from: address }])), layer);
    const publish = (id) => Effect.provide(Effect.flatMap(EventBus, (bus) => bus.publish({ address, id, body: new Uint8Array() })), layer);
    const { channel } = yield* Effect.acquireRelease(Effect.promise(async () => {
        const connection = new Connection(url);
        return { connection, channel: await connection.acquire() };
    }), ({ channel: open, connection }) => Effect.promise(() => open.close().then(() => connection.close())));
    const ask = (use) => Effect.promise(() => use(channel));
    const numbered = (number) => ask((open) => open.queueDeclare({
        queue,
        durable: true,
        arguments: { "x-queue-type": "quorum", "x-max-length": number },
    }));
    const four = Array.from({ length: 4 }, () => setup);
    yield* Effect.all(four, { concurrency: "unbounded" });
    // The broker would refuse this with any other number.
    yield* numbered(1);
    yield* publish("retained");
    // As a version before there were numbers left it.
    yield* ask((open) => open.queueDelete({ queue }));
    yield* Effect.all(four, { concurrency: "unbounded" });
    yield* numbered(1);
    const { messageCount } = yield* ask((open) => open.queueDeclare({ queue: "armoricore.consumer.worker", passive: true }));
    assert.strictEqual(messageCount, 1);
    yield* ask((open) => open.queueDelete({ queue }));
    yield* numbered(2);
    for (const attempt of [Effect.asVoid(setup), Effect.asVoid(publish("lost"))]) {
        const refused = yield* Effect.flip(attempt);
        assert.strictEqual(refused._tag, "ConfigurationError");
        assert.include(refused.message, "on RabbitMQ was written by a newer Armoricore (schema 2; this one reads 1)");
        assert.include(refused.message, "start that version, or restore a backup");
    }
    yield* numbered(2);
}).pipe(Effect.provide(Logger.layer([]))), 60_000);
