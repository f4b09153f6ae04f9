import * as StoreVersion from "@armoricore/domain/StoreVersion";
import { Effect } from "effect";
/** `number` is the newest layout of `table` that this version reads; see `StoreVersion` in domain. */
export const make = (sql, table, number) => {
    /** The comment to write, if one is missing and may be written. A table of a newer version is rejected. */
    const pendingComment = Effect.gen(function* () {
        const [found] = yield* sql `
      SELECT obj_description(oid, 'pg_class') AS words, pg_has_role(relowner, 'USAGE') AS owned
      FROM pg_class WHERE oid = to_regclass(${table}::text)`;
        const newer = StoreVersion.newerVersionError(`${table} table in PostgreSQL`, StoreVersion.versionOf(found?.words), number);
        if (newer !== undefined)
            return yield* newer;
        const words = StoreVersion.withVersion(found?.words, number);
        return found?.owned === false || found?.words === words ? undefined : words;
    });
    /** Runs under the lock of table creation; another process may have been first. */
    const write = Effect.gen(function* () {
        const words = yield* pendingComment;
        if (words === undefined)
            return;
        // COMMENT accepts no parameters.
        const [comment] = yield* sql `
      SELECT format('COMMENT ON TABLE %I IS %L', ${table}::text, ${words}::text) AS statement`;
        if (comment !== undefined)
            yield* sql.unsafe(comment.statement);
    });
    return { pendingComment, write };
};
