/** The number of a layout, in the comment of its table: read by everyone, written by its owner. */
import type { ConfigurationError } from "@armoricore/domain/Errors"
import * as StoreVersion from "@armoricore/domain/StoreVersion"
import type * as PgClient from "@effect/sql-pg/PgClient"
import { Effect } from "effect"
import type { SqlError } from "effect/sql/SqlError"

interface Found {
  readonly words: string | null
  /** Whether this user may write it. */
  readonly owned: boolean
}

/** `number` is the newest layout of `table` that this version reads; see `SchemaNumber`. */
export const make = (sql: PgClient.PgClient, table: string, number: number) => {
  /** The comment that is still to be written, and may be. A table of a newer version is refused. */
  const pendingComment = Effect.gen(function* (): Effect.fn.Return<string | undefined, ConfigurationError | SqlError> {
    const [found] = yield* sql<Found>`
      SELECT obj_description(oid, 'pg_class') AS words, pg_has_role(relowner, 'USAGE') AS owned
      FROM pg_class WHERE oid = to_regclass(${table}::text)`
    const newer = StoreVersion.newerVersionError(
      `${table} table in PostgreSQL`,
      StoreVersion.versionOf(found?.words),
      number,
    )
    if (newer !== undefined) return yield* newer
    const words = StoreVersion.withVersion(found?.words, number)
    return found?.owned === false || found?.words === words ? undefined : words
  })
  /** Under the lock of those who make the table; somebody may have come first. */
  const write = Effect.gen(function* () {
    const words = yield* pendingComment
    if (words === undefined) return
    // COMMENT takes no parameters.
    const [comment] = yield* sql<{ readonly statement: string }>`
      SELECT format('COMMENT ON TABLE %I IS %L', ${table}::text, ${words}::text) AS statement`
    if (comment !== undefined) yield* sql.unsafe(comment.statement)
  })
  return { pendingComment, write }
}
