import { KeyValue } from "@armoricore/state/KeyValue";
import * as PostgresState from "@armoricore/state/postgres/PostgresState";
import * as PostgresServer from "@armoricore/testing/PostgresServer";
import * as Programs from "@armoricore/testing/Programs";
import * as PgClient from "@effect/sql-pg/PgClient";
import { assert, describe, layer } from "@effect/vitest";
import { Duration, Effect, Option, Redacted, Schedule } from "effect";
const bucket = { name: "things", maxAge: "never" };
describe.skipIf(Programs.requireProgram("postgres").missing)("PostgresState", () => {
    layer(PostgresServer.layer, { excludeTestServices: true, timeout: "30 seconds" })((it) => {
        const on = (url) => PostgresState.layer({ url: Redacted.make(url) });
        /** A database of its own. */
        const fresh = (name, more = "") => Effect.gen(function* () {
            const { url } = yield* PostgresServer.PostgresServer;
            yield* Effect.flatMap(PgClient.PgClient, (sql) => sql.unsafe(`CREATE DATABASE ${name} ${more}`)).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(url) })));
            return url.replace("/postgres", `/${name}`);
        });
        it.effect("says that setup is missing where the table is", () => Effect.gen(function* () {
            const url = yield* fresh("unset");
            yield* Effect.gen(function* () {
                const { create, get, list, put, remove, setup, update } = yield* KeyValue;
                const faults = yield* Effect.all([
                    Effect.flip(get(bucket, "a")),
                    Effect.flip(put(bucket, "a", "x")),
                    Effect.flip(create(bucket, "a", "x")),
                    Effect.flip(update(bucket, "a", "x", 1)),
                    Effect.flip(remove(bucket, "a")),
                    Effect.flip(list(bucket, { limit: 1 })),
                ]);
                for (const fault of faults) {
                    assert.strictEqual(fault._tag, "ConfigurationError");
                    assert.include(fault.message, "armoricore setup");
                }
                yield* Effect.all([setup([bucket]), setup([bucket]), setup([bucket])], { concurrency: "unbounded" });
                yield* put(bucket, "a", "x");
            }).pipe(Effect.provide(on(url)));
        }));
        it.effect("a service without the right to make tables works once they are there", () => Effect.gen(function* () {
            const url = yield* fresh("narrow");
            yield* Effect.provide(Effect.flatMap(KeyValue, ({ setup }) => setup([bucket])), on(url));
            yield* Effect.gen(function* () {
                const sql = yield* PgClient.PgClient;
                yield* sql `CREATE ROLE worker LOGIN`;
                yield* sql `GRANT SELECT, INSERT, UPDATE, DELETE ON armoricore_state TO worker`;
                yield* sql `GRANT USAGE ON SEQUENCE armoricore_state_revision TO worker`;
            }).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(url) })));
            yield* Effect.gen(function* () {
                const { create, get, setup, update } = yield* KeyValue;
                assert.lengthOf(yield* setup([bucket]), 1);
                const revision = yield* create(bucket, "a", "one");
                yield* update(bucket, "a", "two", revision);
                assert.strictEqual(Option.getOrThrow(yield* get(bucket, "a")).value, "two");
            }).pipe(Effect.provide(on(url.replace("armoricore@", "worker@"))));
            const other = yield* fresh("closed");
            const refused = yield* Effect.flip(Effect.provide(Effect.flatMap(KeyValue, ({ setup }) => setup([bucket])), on(other.replace("armoricore@", "worker@"))));
            assert.strictEqual(refused._tag, "ConfigurationError");
        }));
        it.effect("names what is wrong with the address: the user, the database, its encoding", () => Effect.gen(function* () {
            const { url } = yield* PostgresServer.PostgresServer;
            const latin = yield* fresh("latin", "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
            const wrong = [
                [url.replace("armoricore@", "nobody@"), "nobody"],
                [`${url}-nowhere`, "nowhere"],
                [latin, "UTF8"],
            ];
            for (const [address, named] of wrong) {
                const fault = yield* Effect.flip(Effect.provide(Effect.flatMap(KeyValue, ({ setup }) => setup([bucket])), on(address)));
                assert.strictEqual(fault._tag, "ConfigurationError", fault.message);
                assert.include(fault.message, named);
            }
        }));
        it.effect("what has expired for a minute is swept, what lives is not", () => Effect.gen(function* () {
            const url = yield* fresh("swept");
            const rows = Effect.flatMap(PgClient.PgClient, (sql) => sql `SELECT key FROM armoricore_state`);
            const own = Effect.provide(PgClient.layer({ url: Redacted.make(url) }));
            yield* Effect.gen(function* () {
                const { put, setup } = yield* KeyValue;
                yield* setup([bucket]);
                yield* put(bucket, "lives", "x", { expiresIn: Duration.hours(1) });
                yield* put(bucket, "lasts", "x");
                yield* put(bucket, "over", "x", { expiresIn: Duration.hours(1) });
            }).pipe(Effect.provide(on(url)));
            yield* Effect.flatMap(PgClient.PgClient, (sql) => sql `UPDATE armoricore_state SET ends = now() - interval '2 minutes' WHERE key = 'over'`).pipe(own);
            // A new process sweeps when it starts.
            yield* Effect.gen(function* () {
                yield* KeyValue;
                yield* rows.pipe(own, Effect.repeat({ until: (left) => left.length === 2, schedule: Schedule.spaced("50 millis") }), Effect.timeout("10 seconds"));
            }).pipe(Effect.provide(on(url)));
            assert.deepStrictEqual((yield* own(rows)).map(({ key }) => key).sort(), ["lasts", "lives"]);
        }));
        // The last one: it takes the server from all others.
        it.effect("fails at once and passingly while no server is there, and goes on after it", () => Effect.gen(function* () {
            const server = yield* PostgresServer.PostgresServer;
            const url = yield* fresh("killed");
            yield* Effect.gen(function* () {
                const { get, put, setup } = yield* KeyValue;
                yield* setup([bucket]);
                yield* put(bucket, "a", "retained");
                yield* server.kill;
                const before = Date.now();
                const fault = yield* Effect.flip(get(bucket, "a"));
                assert.strictEqual(fault._tag, "TransientError");
                assert.isBelow(Date.now() - before, 4_000);
                yield* server.restart;
                const found = yield* get(bucket, "a").pipe(Effect.retry({ times: 100, schedule: Schedule.spaced("100 millis") }));
                assert.strictEqual(Option.getOrThrow(found).value, "retained");
            }).pipe(Effect.provide(on(url)));
        }));
    });
});
