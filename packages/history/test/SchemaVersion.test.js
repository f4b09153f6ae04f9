/** The schema version: written at the first setup, adopted where it is missing, refused where it is newer. */
import * as NatsConnection from "@armoricore/nats/NatsConnection";
import { History } from "@armoricore/history/History";
import * as NatsHistory from "@armoricore/history/nats/NatsHistory";
import * as PostgresHistory from "@armoricore/history/postgres/PostgresHistory";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as PostgresServer from "@armoricore/testing/PostgresServer";
import * as Programs from "@armoricore/testing/Programs";
import * as PgClient from "@effect/sql-pg/PgClient";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Logger, Redacted } from "effect";
import { connect } from "nats";
const setup = Effect.flatMap(History, (history) => history.setup);
const append = Effect.flatMap(History, (history) => history.append("harbour", "m1", new TextEncoder().encode("ahoy")));
const read = Effect.flatMap(History, (history) => history.read("harbour", { limit: 5 }));
it.live.skipIf(Programs.requireProgram("nats-server").missing)("the history's stream on NATS has the number of its layout", () => Effect.gen(function* () {
    const { url } = yield* NatsServer.make();
    const as = (manage) => Layer.fresh(NatsHistory.layer({ manage })).pipe(Layer.provide(NatsConnection.layer({ servers: [url] })));
    const ask = (question) => Effect.acquireUseRelease(Effect.promise(() => connect({ servers: url })), (client) => Effect.promise(async () => question(await client.jetstreamManager())), (client) => Effect.promise(() => client.close()));
    const config = ask(async (manager) => (await manager.streams.info("ARMORICORE_HISTORY")).config);
    const say = (description) => Effect.flatMap(config, (has) => ask((manager) => manager.streams.update("ARMORICORE_HISTORY", { ...has, description })));
    const four = Array.from({ length: 4 }, () => Effect.provide(setup, as("apply")));
    yield* Effect.all(four, { concurrency: "unbounded" });
    assert.strictEqual((yield* config).description, "armoricore schema 1");
    yield* Effect.provide(append, as("apply"));
    yield* say("");
    assert.deepStrictEqual(yield* Effect.provide(setup, as("verify")), ["stream ARMORICORE_HISTORY: ready"]);
    yield* Effect.all(four, { concurrency: "unbounded" });
    assert.strictEqual((yield* config).description, "armoricore schema 1");
    assert.lengthOf((yield* Effect.provide(read, as("apply"))).items, 1);
    yield* say("armoricore schema 2");
    for (const manage of ["apply", "verify"]) {
        const refused = yield* Effect.flip(Effect.provide(setup, as(manage)));
        assert.strictEqual(refused._tag, "ConfigurationError");
        assert.include(refused.message, "newer Armoricore (schema 2; this one reads 1): start that version, or restore");
    }
    assert.strictEqual((yield* config).description, "armoricore schema 2");
}).pipe(Effect.provide(Logger.layer([]))));
describe.skipIf(Programs.requireProgram("postgres").missing)("with a PostgreSQL server", () => {
    it.live("the history's tables have the number of their layout", () => Effect.gen(function* () {
        const { url } = yield* PostgresServer.make();
        const layer = PostgresHistory.layer({ url: Redacted.make(url) });
        const ask = (use) => Effect.provide(Effect.flatMap(PgClient.PgClient, use), PgClient.layer({ url: Redacted.make(url) }));
        const words = Effect.map(ask((sql) => sql `
              SELECT obj_description(to_regclass('armoricore_history_item'), 'pg_class') AS words`), ([row]) => row?.words);
        const say = (comment) => ask((sql) => sql.unsafe(`COMMENT ON TABLE armoricore_history_item IS '${comment}'`));
        const four = Array.from({ length: 4 }, () => Effect.provide(setup, Layer.fresh(layer)));
        yield* Effect.all(four, { concurrency: "unbounded" });
        assert.strictEqual(yield* words, "armoricore schema 1");
        yield* Effect.provide(append, layer);
        // The tables of a service that has no more rights than it needs.
        yield* say("");
        for (const right of [
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
            "CREATE ROLE worker LOGIN",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON armoricore_history_room, armoricore_history_item TO worker",
        ]) {
            yield* ask((sql) => sql.unsafe(right));
        }
        const worker = PostgresHistory.layer({ url: Redacted.make(url.replace("armoricore@", "worker@")) });
        yield* Effect.provide(setup, worker);
        assert.isNull(yield* words);
        yield* Effect.all(four, { concurrency: "unbounded" });
        assert.strictEqual(yield* words, "armoricore schema 1");
        assert.lengthOf((yield* Effect.provide(read, layer)).items, 1);
        // The owner of the tables may write the version without the permission to create tables.
        yield* say("");
        for (const table of ["room", "item"]) {
            yield* ask((sql) => sql.unsafe(`ALTER TABLE armoricore_history_${table} OWNER TO worker`));
        }
        yield* Effect.provide(setup, worker);
        assert.strictEqual(yield* words, "armoricore schema 1");
        yield* say("armoricore schema 2");
        for (const who of [layer, worker]) {
            const refused = yield* Effect.flip(Effect.provide(setup, who));
            assert.strictEqual(refused._tag, "ConfigurationError");
            assert.include(refused.message, "newer Armoricore (schema 2; this one reads 1): start that version, or restore");
        }
        assert.strictEqual(yield* words, "armoricore schema 2");
    }));
});
