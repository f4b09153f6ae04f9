/** An analytics consumer: it writes every `presence.update` into a table for queries in SQL. */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { Duration, Effect, Result } from "effect";
/** The event id is the key, so a repeated delivery changes nothing and the consumer needs no further state. */
export const schema = `
  CREATE TABLE IF NOT EXISTS presence (
    event_id TEXT PRIMARY KEY,
    at INTEGER NOT NULL, -- epoch milliseconds
    room_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL
  ) STRICT`;
/** The peak of concurrent users by room and minute. */
export const concurrentUsers = `
  WITH change AS (
    SELECT room_id, at, CASE status WHEN 'offline' THEN 0 ELSE 1 END AS present,
           LAG(CASE status WHEN 'offline' THEN 0 ELSE 1 END, 1, 0) OVER (PARTITION BY room_id, user_id ORDER BY at) AS was_present
    FROM presence
  ), level AS (
    SELECT room_id, at, SUM(present - was_present) OVER (PARTITION BY room_id ORDER BY at) AS users FROM change
  )
  SELECT room_id, at / 60000 * 60000 AS minute, MAX(users) AS peak FROM level GROUP BY 1, 2 ORDER BY 1, 2`;
/** Runs until the scope closes. The bus stores the position under the consumer's name. */
export const collect = Effect.fnUntraced(function* (database) {
    database.exec(schema);
    const insert = database.prepare("INSERT INTO presence VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
    const bus = yield* EventBus;
    yield* bus.consume({ name: "analytics-presence-update", from: event("presence.update"), concurrency: 1 }, ({ body }) => Effect.try(() => {
        const decoded = EventCodec.decodeResult(body);
        // An undecodable event can be ignored: Armoricore's guard has made it a dead letter.
        if (Result.isSuccess(decoded) && decoded.success.event.event_type === "presence.update") {
            const { event_id, payload } = decoded.success.event;
            insert.run(event_id, Date.parse(payload.timestamp), payload.room_id, payload.user_id, payload.status);
        }
        return { _tag: "Ack" };
    }).pipe(Effect.tapError((error) => Effect.logWarning("cannot write a row", error)), Effect.catch(() => Effect.succeed({ _tag: "Retry", after: Duration.seconds(5) }))));
});
