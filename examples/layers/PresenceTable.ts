/** Analytics beside the program: every `presence.update` becomes a row of a table, and SQL tells who was there when. */
import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { Duration, Effect, Result } from "effect"
import type { DatabaseSync } from "node:sqlite"

/** The event's id is the key: a repeated delivery changes nothing, so the consumer needs no memory of its own. */
export const schema = `
  CREATE TABLE IF NOT EXISTS presence (
    event_id TEXT PRIMARY KEY,
    at INTEGER NOT NULL, -- epoch milliseconds
    room_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL
  ) STRICT`

/** The most users at once, by room and minute. */
export const concurrentUsers = `
  WITH change AS (
    SELECT room_id, at, CASE status WHEN 'offline' THEN 0 ELSE 1 END AS here,
           LAG(CASE status WHEN 'offline' THEN 0 ELSE 1 END, 1, 0) OVER (PARTITION BY room_id, user_id ORDER BY at) AS was
    FROM presence
  ), level AS (
    SELECT room_id, at, SUM(here - was) OVER (PARTITION BY room_id ORDER BY at) AS users FROM change
  )
  SELECT room_id, at / 60000 * 60000 AS minute, MAX(users) AS peak FROM level GROUP BY 1, 2 ORDER BY 1, 2`

/** Runs until the scope closes; where it was is kept by the bus, under the consumer's name. */
export const collect = Effect.fnUntraced(function* (database: DatabaseSync) {
  database.exec(schema)
  const insert = database.prepare("INSERT INTO presence VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
  const bus = yield* EventBus
  yield* bus.consume(
    { name: "analytics-presence-update", from: event("presence.update"), concurrency: 1 },
    ({ body }) =>
      Effect.try(() => {
        const read = EventCodec.decodeResult(body)
        // What cannot be read is a dead letter already: the program's guard looks at every event.
        if (Result.isSuccess(read) && read.success.event.event_type === "presence.update") {
          const { event_id, payload } = read.success.event
          insert.run(event_id, Date.parse(payload.timestamp), payload.room_id, payload.user_id, payload.status)
        }
        return { _tag: "Ack" } as const
      }).pipe(
        Effect.tapError((error) => Effect.logWarning("a row could not be written", error)),
        Effect.catch(() => Effect.succeed({ _tag: "Retry", after: Duration.seconds(5) } as const)),
      ),
  )
})
