/**
 * The history in two PostgreSQL tables. An append locks its room's row, so that `seq` follows the order of commits and
 * no reader sees a later item before an earlier one. Time is the database's. An item without a body was removed: the
 * row blocks its id.
 */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors";
import * as PostgresSchema from "@armoricore/postgres/PostgresSchema";
import * as PgClient from "@effect/sql-pg/PgClient";
import { Duration, Effect, Layer, Schedule } from "effect";
import { check, History } from "../History.ts";
import { defaults } from "../Retention.ts";
import * as PostgresNotifications from "./PostgresNotifications.ts";
const make = Effect.fnUntraced(function* ({ maxAge, maxPerRoom }) {
    const sql = yield* PgClient.PgClient;
    const query = (statement) => Effect.mapError(statement, errorFrom);
    const mapSqlErrors = (statement) => Effect.catchTag(statement, "SqlError", (error) => Effect.fail(errorFrom(error)));
    const cutoff = sql `clock_timestamp() - ${String(Duration.toMillis(maxAge))}::text::float8 * interval '1 millisecond'`;
    const findById = (room, id) => sql `
      SELECT seq::text, body FROM armoricore_history_item WHERE room = ${room}::text AND id = ${id}::text`;
    /** Runs under the room's lock. */
    const append = Effect.fnUntraced(function* (room, id, body) {
        const [state] = yield* sql `
      INSERT INTO armoricore_history_room AS r (room, last, trimmed) VALUES (${room}::text, 0, 0)
      ON CONFLICT (room) DO UPDATE SET last = r.last RETURNING last::text, trimmed::text`;
        const [before] = yield* findById(room, id);
        if (before !== undefined)
            return { ...before, fresh: false };
        const seq = Number(state?.last ?? 0) + 1;
        const gone = Math.max(Number(state?.trimmed ?? 0), seq - maxPerRoom);
        yield* sql `
      UPDATE armoricore_history_room SET last = ${String(seq)}::text::bigint, trimmed = ${String(gone)}::text::bigint
      WHERE room = ${room}::text`;
        yield* sql `
      INSERT INTO armoricore_history_item (room, seq, id, at, body)
      VALUES (${room}::text, ${String(seq)}::text::bigint, ${id}::text, clock_timestamp(), ${body}::bytea)`;
        if (gone > 0) {
            yield* sql `
        DELETE FROM armoricore_history_item WHERE room = ${room}::text AND seq <= ${String(gone)}::text::bigint`;
        }
        return { seq: String(seq), body, fresh: true };
    });
    // Ends with the layer.
    yield* query(sql.withTransaction(Effect.andThen(sql `
          UPDATE armoricore_history_room AS r SET trimmed = GREATEST(r.trimmed, aged.seq)
          FROM (SELECT room, MAX(seq) AS seq FROM armoricore_history_item WHERE at <= ${cutoff} - interval '1 minute'
                GROUP BY room) AS aged
          WHERE aged.room = r.room`, sql `
          DELETE FROM armoricore_history_item AS i USING armoricore_history_room AS r
          WHERE i.room = r.room AND i.seq <= r.trimmed AND i.at <= ${cutoff} - interval '1 minute'`))).pipe(Effect.catch((error) => Effect.logDebug(`expired history items were not deleted: ${error.message}`)), Effect.repeat(Schedule.spaced("1 minute")), Effect.forkScoped);
    const notifications = yield* PostgresNotifications.make(sql, (room, seq) => Effect.map(sql `
        SELECT seq::text, id, body FROM armoricore_history_item
        WHERE room = ${room}::text AND seq = ${String(seq)}::text::bigint AND body IS NOT NULL`, ([row]) => (row === undefined ? undefined : toItem(row))));
    /** From the start of the page; rows behind its limits have no body. The bodies of other rows are not read. */
    const pageRows = (room, { after, before, limit, maxBytes }) => {
        const direction = sql.literal(after === undefined ? "DESC" : "ASC");
        const bound = after === undefined
            ? sql `seq < ${String(before ?? Number.MAX_SAFE_INTEGER)}::text::bigint`
            : sql `seq > ${String(after)}::text::bigint`;
        return sql `
      SELECT seq::text, id, CASE WHEN n <= ${String(limit)}::text::bigint
        AND (n = 1 OR bytes <= ${String(maxBytes ?? Number.MAX_SAFE_INTEGER)}::text::bigint) THEN body END AS body
      FROM (
        SELECT seq, id, body, ROW_NUMBER() OVER (ORDER BY seq ${direction}) AS n,
          SUM(octet_length(body)) OVER (ORDER BY seq ${direction}) AS bytes
        FROM (
          SELECT seq, id, body FROM armoricore_history_item
          WHERE room = ${room}::text AND at > ${cutoff} AND body IS NOT NULL AND ${bound}
          ORDER BY seq ${direction} LIMIT ${String(limit + 1)}::text::bigint
        ) AS page
      ) AS sized ORDER BY sized.seq ${direction}`;
    };
    /** The `seq` of a room has no gaps, and removed items leave their row: the first visible row shows what is gone. */
    const isComplete = (room, after) => Effect.map(sql `
        SELECT last::text, trimmed::text, (
          SELECT seq::text FROM armoricore_history_item WHERE room = ${room}::text AND at > ${cutoff}
          ORDER BY armoricore_history_item.seq LIMIT 1) AS first
        FROM armoricore_history_room WHERE room = ${room}::text`, ([state]) => {
        const last = Number(state?.last ?? 0);
        const first = state?.first ?? null;
        const gone = Math.max(Number(state?.trimmed ?? 0), first === null ? last : Number(first) - 1);
        return after >= gone && after <= last;
    });
    const removeItem = (room, id) => sql `
      UPDATE armoricore_history_item SET body = NULL
      WHERE room = ${room}::text AND id = ${id}::text AND body IS NOT NULL RETURNING id`;
    /** A page of the items whose body contains `text`, in the order of rooms. */
    const findText = (text, room, seq) => sql `
      SELECT room, seq::text, id, body FROM armoricore_history_item
      WHERE (room, seq) > (${room}::text, ${seq}::text::bigint)
        AND position(convert_to(${text}::text, 'UTF8') IN body) > 0
      ORDER BY armoricore_history_item.room, armoricore_history_item.seq LIMIT 200`;
    return History.of({
        append: Effect.fnUntraced(function* (room, id, body) {
            yield* check(room, id, body);
            const [before] = yield* query(findById(room, id));
            const stored = before === undefined ? yield* query(sql.withTransaction(append(room, id, body))) : { ...before, fresh: false };
            if (stored.body === null)
                return { _tag: "Removed" };
            const item = { seq: Number(stored.seq), id, body: stored.body };
            if (stored.fresh)
                yield* notifications.notify(room, item);
            return { _tag: "Appended", item, fresh: stored.fresh };
        }),
        subscribe: (room, onAppend, onGap) => Effect.andThen(check(room), notifications.subscribe(room, onAppend, onGap)),
        read: Effect.fnUntraced(function* (room, { after, before, limit, maxBytes }) {
            yield* check(room);
            const found = yield* query(pageRows(room, { after, before, limit, maxBytes }));
            const cut = found.findIndex(({ body }) => body === null);
            const rows = cut === -1 ? found : found.slice(0, cut);
            const items = rows.map(({ seq, id, body }) => toItem({ seq, id, body: body ?? new Uint8Array() }));
            if (after === undefined)
                items.reverse();
            // Read afterwards: items trimmed in between make the result incomplete, never wrong.
            const complete = after === undefined || (yield* query(isComplete(room, after)));
            return { items, more: cut !== -1, complete };
        }),
        remove: (room, id) => Effect.andThen(check(room, id), Effect.map(query(removeItem(room, id)), (rows) => rows.length > 0)),
        removeMatching: Effect.fnUntraced(function* (text, matches) {
            const removed = [];
            let [room, seq] = ["", "0"];
            for (;;) {
                const found = yield* query(findText(text, room, seq));
                for (const item of found) {
                    if (matches(item.body) && (yield* query(removeItem(item.room, item.id))).length > 0)
                        removed.push({ room: item.room, id: item.id, body: item.body });
                }
                const last = found.at(-1);
                if (last === undefined)
                    return removed;
                [room, seq] = [last.room, last.seq];
            }
        }),
        get: (room, id) => Effect.andThen(check(room, id), Effect.map(query(sql `
            SELECT seq::text, id, body FROM armoricore_history_item
            WHERE room = ${room}::text AND id = ${id}::text AND at > ${cutoff} AND body IS NOT NULL`), ([row]) => (row === undefined ? undefined : toItem(row)))),
        replace: (room, id, expected, body) => Effect.andThen(check(room, id, body), Effect.map(query(sql `
            UPDATE armoricore_history_item SET body = ${body}::bytea
            WHERE room = ${room}::text AND id = ${id}::text AND body = ${expected}::bytea RETURNING id`), (rows) => rows.length > 0)),
        count: (room, after, limit) => Effect.andThen(check(room), Effect.map(query(sql `
            SELECT COUNT(*)::text AS count FROM (
              SELECT 1 FROM armoricore_history_item WHERE room = ${room}::text AND at > ${cutoff}
              AND body IS NOT NULL AND seq > ${String(after)}::text::bigint LIMIT ${String(limit)}::text::bigint
            ) AS counted`), ([row]) => Number(row?.count ?? 0))),
        setup: Effect.gen(function* () {
            const [found] = yield* query(sql `
        SELECT to_regclass('armoricore_history_room') IS NOT NULL AND to_regclass('armoricore_history_item') IS NOT NULL AS there`);
            const there = found?.there === true;
            // A service without the permission to create tables may check that they exist.
            const isUnnumbered = (yield* mapSqlErrors(schemaVersionOf(sql).pendingComment)) !== undefined;
            if (!there || isUnnumbered) {
                yield* mapSqlErrors(sql.withTransaction(createOrUpgrade(sql, there)));
            }
            return ["history: in PostgreSQL, tables armoricore_history_room and armoricore_history_item"];
        }),
    });
});
/** The version of both tables' layout. */
const schemaVersionOf = (sql) => PostgresSchema.make(sql, "armoricore_history_item", 1);
const createOrUpgrade = Effect.fnUntraced(function* (sql, there) {
    // Two processes may do this at once, and IF NOT EXISTS is not safe under concurrency.
    yield* sql `SELECT pg_advisory_xact_lock(hashtext('armoricore_history')::bigint)`;
    // The owner of the tables may lack the permission to create others.
    if (!there)
        yield* createTables(sql);
    yield* schemaVersionOf(sql).write;
});
const createTables = Effect.fnUntraced(function* (sql) {
    yield* sql `
    CREATE TABLE IF NOT EXISTS armoricore_history_room (
      room text PRIMARY KEY, last bigint NOT NULL, trimmed bigint NOT NULL
    )`;
    yield* sql `
    CREATE TABLE IF NOT EXISTS armoricore_history_item (
      room text NOT NULL, seq bigint NOT NULL, id text NOT NULL, at timestamptz NOT NULL, body bytea,
      PRIMARY KEY (room, seq), UNIQUE (room, id)
    )`;
    yield* sql `CREATE INDEX IF NOT EXISTS armoricore_history_item_at ON armoricore_history_item (at)`;
});
const toItem = ({ seq, id, body }) => ({ seq: Number(seq), id, body });
const errorFrom = (error) => {
    const { cause } = error.reason;
    const said = cause instanceof Error ? cause.message : error.message;
    switch (error.reason._tag) {
        case "SqlSyntaxError":
            return new ConfigurationError({
                setting: "STATE_URL",
                message: `the history's tables are not in PostgreSQL as this version needs them; run "armoricore setup": ${said}`,
                cause: error,
            });
        case "AuthenticationError":
        case "AuthorizationError":
            return new ConfigurationError({
                setting: "STATE_URL",
                message: `PostgreSQL refuses the history to the user of STATE_URL: ${said}`,
                cause: error,
            });
        default:
            return new TransientError({
                dependency: "history",
                code: error.reason._tag.includes("Timeout") ? "timeout" : "unavailable",
                message: `the history in PostgreSQL cannot be used: ${said}`,
                cause: error,
            });
    }
};
/** Does not wait for the server: an operation fails with `TransientError` while it is unreachable. */
export const layer = (options) => {
    const client = PgClient.make({
        url: options.url,
        ...(options.ca === undefined ? {} : { ssl: { ca: options.ca } }),
        applicationName: "armoricore",
        minConnections: 0,
        maxConnections: options.connections ?? 4,
        connectTimeout: "3 seconds",
        idleTimeout: "5 minutes",
    });
    return Layer.effect(History, make({ ...defaults, ...options })).pipe(Layer.provide(PgClient.layerFrom(Effect.mapError(client, errorFrom))));
};
