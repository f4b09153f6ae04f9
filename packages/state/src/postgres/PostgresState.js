/**
 * The state in one PostgreSQL table, shared by every process with the same STATE_URL. Each operation is one statement,
 * so the row lock makes compare-and-set atomic. Time is the database's, so all processes agree on what has expired.
 *
 * Revisions come from a sequence, drawn under the row lock: they increase with every write of a key. A removed entry
 * stays for a minute as an expired row, so that creating the key again takes the same lock.
 */
import { ConfigurationError, Conflict } from "@armoricore/domain/Errors";
import * as PgClient from "@effect/sql-pg/PgClient";
import { Duration, Effect, Layer, Option, Schedule } from "effect";
import { expiryOf } from "../Expiry.ts";
import { check, checkBucket } from "../Key.ts";
import { KeyValue } from "../KeyValue.ts";
import { errorFrom } from "@armoricore/postgres/PostgresErrors";
import * as PostgresSchema from "@armoricore/postgres/PostgresSchema";
/** The version of the table's layout. */
const schemaVersionOf = (sql) => PostgresSchema.make(sql, "armoricore_state", 1);
const sweepInterval = Duration.minutes(1);
const make = Effect.gen(function* () {
    const sql = yield* PgClient.PgClient;
    const unexpired = sql `(ends IS NULL OR ends > clock_timestamp())`;
    const nextRevision = sql `nextval('armoricore_state_revision')`;
    const query = (statement) => Effect.mapError(statement, errorFrom);
    const mapSqlErrors = (statement) => Effect.catchTag(statement, "SqlError", (error) => Effect.fail(errorFrom(error)));
    const expirySql = (bucket, options) => {
        const lasts = expiryOf(bucket, options, 0);
        return lasts === undefined
            ? sql `NULL::timestamptz`
            : sql `clock_timestamp() + ${String(lasts)}::text::float8 * interval '1 millisecond'`;
    };
    const keyCondition = (bucket, key) => sql `bucket = ${bucket.name}::text AND key = ${key}::text`;
    const revisionOf = (rows) => rows[0] === undefined ? undefined : Number(rows[0].revision);
    const revisionOrConflict = (key) => (revision) => revision === undefined ? Effect.fail(new Conflict({ key })) : Effect.succeed(revision);
    /** `over`: which existing entries may be replaced. */
    const insert = (bucket, key, value, options, over) => Effect.map(query(sql `
        INSERT INTO armoricore_state AS s (bucket, key, value, revision, ends)
        VALUES (${bucket.name}::text, ${key}::text, ${value}::text, ${nextRevision}, ${expirySql(bucket, options)})
        ON CONFLICT (bucket, key) DO UPDATE SET value = excluded.value, revision = ${nextRevision}, ends = excluded.ends
        ${over === "all" ? sql `` : sql `WHERE s.ends <= clock_timestamp()`}
        RETURNING revision::text`), revisionOf);
    // Ends with the layer. Several processes may sweep at once.
    yield* query(sql `
    DELETE FROM armoricore_state WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM armoricore_state WHERE ends < clock_timestamp() - interval '1 minute' LIMIT 5000
      FOR UPDATE SKIP LOCKED))`).pipe(Effect.catch((error) => Effect.logDebug(`expired state entries were not deleted: ${error.message}`)), Effect.repeat(Schedule.spaced(sweepInterval)), Effect.forkScoped);
    return KeyValue.of({
        get: (bucket, key) => Effect.andThen(check(bucket, key), Effect.map(query(sql `SELECT key, value, revision::text FROM armoricore_state WHERE ${keyCondition(bucket, key)} AND ${unexpired}`), (rows) => Option.map(Option.fromUndefinedOr(rows[0]), toEntry))),
        put: (bucket, key, value, options) => Effect.andThen(check(bucket, key), Effect.map(insert(bucket, key, value, options, "all"), (revision) => revision ?? 0)),
        create: (bucket, key, value, options) => Effect.andThen(check(bucket, key), Effect.flatMap(insert(bucket, key, value, options, "ended"), revisionOrConflict(key))),
        update: (bucket, key, value, expected, options) => Effect.gen(function* () {
            yield* check(bucket, key);
            const rows = yield* query(sql `
          UPDATE armoricore_state SET value = ${value}::text, revision = ${nextRevision}, ends = ${expirySql(bucket, options)}
          WHERE ${keyCondition(bucket, key)} AND revision = ${String(expected)}::text::bigint AND ${unexpired}
          RETURNING revision::text`);
            return yield* revisionOrConflict(key)(revisionOf(rows));
        }),
        remove: (bucket, key, expected) => Effect.gen(function* () {
            yield* check(bucket, key);
            const only = expected === undefined ? sql `` : sql `AND revision = ${String(expected)}::text::bigint`;
            const removed = yield* query(sql `
          UPDATE armoricore_state SET value = '', revision = ${nextRevision}, ends = clock_timestamp()
          WHERE ${keyCondition(bucket, key)} ${only} AND ${unexpired} RETURNING 1`);
            if (removed.length > 0 || expected === undefined)
                return;
            // Read afterwards: the statement may have waited for another process that removed the entry too.
            const there = yield* query(sql `SELECT 1 FROM armoricore_state WHERE ${keyCondition(bucket, key)} AND ${unexpired}`);
            if (there.length > 0)
                return yield* new Conflict({ key });
        }),
        list: (bucket, { prefix = "", after = "", limit }) => Effect.andThen(checkBucket(bucket), Effect.map(query(sql `
            SELECT key, value, revision::text FROM armoricore_state
            WHERE bucket = ${bucket.name}::text AND key > ${after}::text AND key >= ${prefix}::text
              AND starts_with(key, ${prefix}::text) AND ${unexpired}
            ORDER BY key LIMIT ${String(limit)}::text::bigint`), (rows) => rows.map(toEntry))),
        setup: (buckets) => Effect.gen(function* () {
            yield* Effect.forEach(buckets, checkBucket, { discard: true });
            const [found] = yield* query(sql `
          SELECT current_setting('server_encoding') AS encoding,
                 to_regclass('armoricore_state') IS NOT NULL AND to_regclass('armoricore_state_revision') IS NOT NULL AS there`);
            if (found?.encoding !== "UTF8") {
                return yield* new ConfigurationError({
                    setting: "STATE_URL",
                    message: `the database of STATE_URL has the encoding ${found?.encoding ?? "unknown"}; create one with ENCODING 'UTF8'`,
                });
            }
            // A service without the permission to create tables may check that they exist.
            const isUnnumbered = (yield* mapSqlErrors(schemaVersionOf(sql).pendingComment)) !== undefined;
            if (!found.there || isUnnumbered) {
                yield* mapSqlErrors(sql.withTransaction(createOrUpgrade(sql, found.there)));
            }
            return buckets.map(({ name }) => `state bucket ${name}: in PostgreSQL, table armoricore_state`);
        }),
    });
});
const createOrUpgrade = Effect.fnUntraced(function* (sql, there) {
    // Two processes may do this at once, and IF NOT EXISTS is not safe under concurrency.
    yield* sql `SELECT pg_advisory_xact_lock(hashtext('armoricore_state')::bigint)`;
    // The owner of the tables may lack the permission to create others.
    if (!there)
        yield* createTables(sql);
    yield* schemaVersionOf(sql).write;
});
const createTables = Effect.fnUntraced(function* (sql) {
    yield* sql `CREATE SEQUENCE IF NOT EXISTS armoricore_state_revision AS bigint`;
    // Keys sort as bytes, independent of the database's collation.
    yield* sql `
    CREATE TABLE IF NOT EXISTS armoricore_state (
      bucket text COLLATE "C" NOT NULL,
      key text COLLATE "C" NOT NULL,
      value text NOT NULL,
      revision bigint NOT NULL,
      ends timestamptz,
      PRIMARY KEY (bucket, key)
    )`;
    yield* sql `CREATE INDEX IF NOT EXISTS armoricore_state_ends ON armoricore_state (ends) WHERE ends IS NOT NULL`;
});
const toEntry = ({ key, value, revision }) => ({ key, value, revision: Number(revision) });
/** Does not wait for the server: an operation fails with `TransientError` while it is unreachable. */
export const layer = (options) => {
    const client = PgClient.make({
        url: options.url,
        ...(options.ca === undefined ? {} : { ssl: { ca: options.ca } }),
        applicationName: "armoricore",
        minConnections: 0,
        maxConnections: options.connections ?? 8,
        connectTimeout: "3 seconds",
        idleTimeout: "5 minutes",
    });
    return Layer.effect(KeyValue, make).pipe(Layer.provide(PgClient.layerFrom(Effect.mapError(client, errorFrom))));
};
