/** The schema version: written at the first setup, adopted where it is missing, refused where it is newer. */
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Logger } from "effect";
import { connect } from "nats";
import * as Address from "../../src/Address.ts";
import { EventBus } from "../../src/EventBus.ts";
import * as NatsBus from "../../src/nats/NatsBus.ts";
const streams = ["ARMORICORE", "ARMORICORE_WORK", "ARMORICORE_DEAD", "ARMORICORE_ADVISORY"];
const maxBytes = 64 * 1024 ** 2;
const address = Address.event("media.ready");
const opened = Effect.gen(function* () {
    const { url } = yield* NatsServer.make();
    const ask = (question) => Effect.acquireUseRelease(Effect.promise(() => connect({ servers: url })), (client) => Effect.promise(async () => question(await client.jetstreamManager())), (client) => Effect.promise(() => client.close()));
    const as = (manage) => Effect.provide(Effect.flatMap(EventBus, (bus) => bus.setup([])), Layer.fresh(NatsBus.layerWithConnection({ servers: [url], maxBytes, manage })));
    return {
        url,
        as,
        words: Effect.forEach(streams, (name) => ask(async (manager) => (await manager.streams.info(name)).config.description ?? "")),
        say: (name, description) => ask(async (manager) => {
            const { config } = await manager.streams.info(name);
            await manager.streams.update(name, { ...config, description });
        }),
    };
});
describe.skipIf(Programs.requireProgram("nats-server").missing)("streams on NATS", () => {
    it.live("are numbered once, by however many start at once, and taken over where they are not", () => Effect.gen(function* () {
        const { as, say, words } = yield* opened;
        const numbered = streams.map(() => "armoricore schema 1");
        yield* Effect.all(Array.from({ length: 4 }, () => as("apply")), { concurrency: "unbounded" });
        assert.deepStrictEqual(yield* words, numbered);
        for (const name of streams)
            yield* say(name, "");
        // A process that only verifies reports no drift.
        const looked = yield* as("verify");
        assert.deepStrictEqual(looked, streams.map((name) => `stream ${name}: ready`));
        const taken = yield* as("apply");
        assert.include(taken.join("\n"), "stream ARMORICORE: updated description");
        assert.deepStrictEqual(yield* words, numbered);
        assert.notInclude((yield* as("apply")).join("\n"), "updated");
    }).pipe(Effect.provide(Logger.layer([]))));
    it.live("refuses a newer version with instructions, also without setup", () => Effect.gen(function* () {
        const { as, say, url, words } = yield* opened;
        yield* as("apply");
        yield* say("ARMORICORE_WORK", "armoricore schema 2");
        const publish = Effect.provide(Effect.flatMap(EventBus, (bus) => bus.publish({ address, id: "a", body: new Uint8Array() })), NatsBus.layerWithConnection({ servers: [url], maxBytes }));
        for (const attempt of [Effect.asVoid(as("apply")), Effect.asVoid(as("verify")), Effect.asVoid(publish)]) {
            const refused = yield* Effect.flip(attempt);
            assert.strictEqual(refused._tag, "ConfigurationError");
            assert.include(refused.message, "stream ARMORICORE_WORK on NATS was written by a newer Armoricore (schema 2;");
            assert.include(refused.message, "start that version, or restore a backup");
        }
        assert.strictEqual((yield* words)[1], "armoricore schema 2");
    }).pipe(Effect.provide(Logger.layer([]))));
});
