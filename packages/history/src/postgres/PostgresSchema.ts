/** The number of the layout, in the comment of one of the two tables: read by everyone, written by its owner. */
import type { ConfigurationError } from "@armoricore/domain/Errors"
import * as SchemaNumber from "@armoricore/domain/SchemaNumber"
import type * as PgClient from "@effect/sql-pg/PgClient"
import { Effect } from "effect"
import type { SqlError } from "effect/sql/SqlError"

/** Of the layout of both tables; see `SchemaNumber`. */
const schema = 1

interface Found {
  readonly words: string | null
  /** Whether this user may write it. */
  readonly owned: boolean
}

/** The comment that is still to be written, and may be. A table of a newer version is refused. */
export const due = Effect.fnUntraced(function* (
  sql: PgClient.PgClient,
): Effect.fn.Return<string | undefined, ConfigurationError | SqlError> {
  const [found] = yield* sql<Found>`
    SELECT obj_description(oid, 'pg_class') AS words, pg_has_role(relowner, 'USAGE') AS owned
    FROM pg_class WHERE oid = to_regclass('armoricore_history_item')`
  const newer = SchemaNumber.newer(
    "armoricore_history_item table in PostgreSQL",
    SchemaNumber.numberOf(found?.words),
    schema,
  )
  if (newer !== undefined) return yield* newer
  const words = SchemaNumber.withNumber(found?.words, schema)
  return found?.owned === false || found?.words === words ? undefined : words
})

/** Under the lock of those who make the table; somebody may have come first. */
export const write = Effect.fnUntraced(function* (sql: PgClient.PgClient) {
  const words = yield* due(sql)
  if (words === undefined) return
  // COMMENT takes no parameters.
  const [comment] = yield* sql<{ readonly statement: string }>`
    SELECT format('COMMENT ON TABLE armoricore_history_item IS %L', ${words}::text) AS statement`
  if (comment !== undefined) yield* sql.unsafe(comment.statement)
})
