/** The schema version: written at the first setup, adopted where it is missing, refused where it is newer. */
import * as NatsConnection from "@armoricore/nats/NatsConnection";
import { KeyValue } from "@armoricore/state/KeyValue";
import * as NatsState from "@armoricore/state/nats/NatsState";
import * as PostgresState from "@armoricore/state/postgres/PostgresState";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as PostgresServer from "@armoricore/testing/PostgresServer";
import * as Programs from "@armoricore/testing/Programs";
import * as PgClient from "@effect/sql-pg/PgClient";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Option, Redacted } from "effect";
import { connect } from "nats";
const bucket = { name: "things", maxAge: "never" };
const behaviour = (name, make) => {
    const setup = Effect.flatMap(KeyValue, (state) => state.setup([bucket]));
    const put = Effect.flatMap(KeyValue, (state) => state.put(bucket, "a", "retained"));
    const get = Effect.flatMap(KeyValue, (state) => state.get(bucket, "a"));
    it.live(`${name}: written once, by however many start at once`, () => Effect.gen(function* () {
        const { layer, words } = yield* make;
        const one = Effect.provide(setup, Layer.fresh(layer));
        yield* Effect.all([one, one, one, one, one, one], { concurrency: "unbounded" });
        assert.strictEqual(yield* words, "armoricore schema 1");
    }));
    it.live(`${name}: a store from before there were numbers is taken over with what it holds, by several at once`, () => Effect.gen(function* () {
        const { layer, reader, say, words } = yield* make;
        yield* Effect.provide(Effect.andThen(setup, put), layer);
        yield* say("");
        // A process without the permission to write the version works all the same.
        yield* Effect.provide(Effect.andThen(setup, get), reader);
        assert.strictEqual(yield* words, "");
        const one = Effect.provide(Effect.andThen(setup, get), Layer.fresh(layer));
        for (const found of yield* Effect.all([one, one, one, one], { concurrency: "unbounded" })) {
            assert.strictEqual(Option.getOrThrow(found).value, "retained");
        }
        assert.strictEqual(yield* words, "armoricore schema 1");
        yield* say("of the shop");
        yield* Effect.provide(setup, layer);
        assert.strictEqual(yield* words, "of the shop (armoricore schema 1)");
    }));
    it.live(`${name}: a newer one is refused with what to do, and stays as it is`, () => Effect.gen(function* () {
        const { layer, reader, say, words } = yield* make;
        yield* Effect.provide(setup, layer);
        yield* say("armoricore schema 2");
        for (const who of [layer, reader]) {
            const refused = yield* Effect.flip(Effect.provide(setup, who));
            assert.strictEqual(refused._tag, "ConfigurationError");
            assert.include(refused.message, "newer Armoricore (schema 2; this one reads 1): start that version, or restore");
        }
        assert.strictEqual(yield* words, "armoricore schema 2");
    }));
};
const onNats = Effect.gen(function* () {
    const { url } = yield* NatsServer.make();
    const as = (manage) => NatsState.layer({ manage }).pipe(Layer.provide(NatsConnection.layer({ servers: [url] })));
    const stream = "KV_armoricore_things";
    const ask = (question) => Effect.acquireUseRelease(Effect.promise(() => connect({ servers: url })), (client) => Effect.promise(async () => question(await client.jetstreamManager())), (client) => Effect.promise(() => client.close()));
    return {
        layer: as("apply"),
        reader: as("verify"),
        words: ask(async (manager) => (await manager.streams.info(stream)).config.description ?? ""),
        say: (description) => ask(async (manager) => {
            const { config } = await manager.streams.info(stream);
            await manager.streams.update(stream, { ...config, description });
        }),
    };
});
const onPostgres = Effect.gen(function* () {
    const { url } = yield* PostgresServer.make();
    const ask = (use) => Effect.flatMap(PgClient.PgClient, use).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(url) })), Effect.orDie);
    const table = "armoricore_state";
    const rights = [
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "CREATE ROLE worker LOGIN",
        `GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO worker`,
    ];
    const worker = PostgresState.layer({ url: Redacted.make(url.replace("armoricore@", "worker@")) });
    return {
        layer: PostgresState.layer({ url: Redacted.make(url) }),
        reader: Layer.unwrap(Effect.as(ask((sql) => Effect.forEach(rights, (right) => sql.unsafe(right))), worker)),
        words: ask((sql) => Effect.map(sql `SELECT obj_description(to_regclass(${table}), 'pg_class') AS words`, ([row]) => row?.words ?? "")),
        say: (words) => ask((sql) => Effect.asVoid(sql.unsafe(`COMMENT ON TABLE ${table} IS '${words}'`))),
    };
});
describe.skipIf(Programs.requireProgram("nats-server").missing)("with a nats-server", () => {
    behaviour("NATS KV", onNats);
});
describe.skipIf(Programs.requireProgram("postgres").missing)("with a PostgreSQL server", () => {
    behaviour("PostgreSQL", onPostgres);
});
