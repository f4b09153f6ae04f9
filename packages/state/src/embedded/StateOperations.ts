/**
 * The tables of the state and the operations on them, run in the engine's thread. All revisions come from one counter,
 * so a key that is created again never repeats one. Keys sort as UTF-8 bytes.
 */
import type { EngineDatabase, OperationContext, Operations } from "@armoricore/embedded/Operations"

export interface Row {
  readonly key: string
  readonly value: string
  readonly revision: number
}

interface EntryKey {
  readonly bucket: string
  readonly key: string
  /** Epoch milliseconds. */
  readonly now: number
}

export const migrations = [
  `CREATE TABLE state_entry (
    bucket TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, revision INTEGER NOT NULL, ends INTEGER
  ) STRICT;
  CREATE UNIQUE INDEX state_entry_key ON state_entry (bucket, key);
  CREATE INDEX state_entry_ends ON state_entry (ends) WHERE ends IS NOT NULL;
  CREATE TABLE state_revision (last INTEGER NOT NULL) STRICT;
  INSERT INTO state_revision VALUES (0);`,
]

const select = "SELECT key, value, revision FROM state_entry WHERE bucket = ? AND (ends IS NULL OR ends > ?)"

const find = (db: EngineDatabase, { bucket, key, now }: EntryKey): Row | undefined =>
  db.get<Row>(`${select} AND key = ?`, bucket, now, key)

interface Write extends EntryKey {
  readonly value: string
  readonly expiresAt: number | undefined
  readonly expected: number | undefined
}

const put = `INSERT INTO state_entry (bucket, key, value, revision, ends) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (bucket, key) DO UPDATE SET value = excluded.value, revision = excluded.revision, ends = excluded.ends`
/** The end of `put` for an entry that may exist only if it has expired. */
const ifExpired = "WHERE state_entry.ends <= ?"
const update = `UPDATE state_entry SET value = ?, revision = ?, ends = ?
  WHERE bucket = ? AND key = ? AND revision = ? AND (ends IS NULL OR ends > ?)`
const create = `${put} ${ifExpired}`

/** A write that finds another revision leaves a gap in the revisions. */
const write = (db: EngineDatabase, { bucket, expected, expiresAt, key, now, value }: Write): number | undefined => {
  const counter = db.get<{ readonly last: number }>("UPDATE state_revision SET last = last + 1 RETURNING last")
  const revision = counter?.last ?? 0
  const ends = expiresAt ?? null
  const { changes } =
    expected === undefined
      ? db.run(put, bucket, key, value, revision, ends)
      : expected === 0
        ? db.run(create, bucket, key, value, revision, ends, now)
        : db.run(update, value, revision, ends, bucket, key, expected, now)
  return changes === 0 ? undefined : revision
}

export const operations = {
  get: (db: EngineDatabase, place: EntryKey): Row | undefined => find(db, place),

  getMany: (
    db: EngineDatabase,
    { keys, ...place }: Omit<EntryKey, "key"> & { readonly keys: ReadonlyArray<string> },
  ): ReadonlyArray<Row | undefined> => keys.map((key) => find(db, { ...place, key })),

  /**
   * `expected`: the revision that must be current, 0 for no entry, undefined for any. Returns undefined on a mismatch.
   */
  write,

  writeMany: (
    db: EngineDatabase,
    {
      writes,
      ...place
    }: Omit<Write, "key" | "value" | "expected"> & {
      readonly writes: ReadonlyArray<{ readonly key: string; readonly value: string; readonly revision: number }>
    },
  ): ReadonlyArray<number | undefined> =>
    writes.map(({ key, revision, value }) => write(db, { ...place, key, value, expected: revision })),

  /** Returns whether the entry is removed; false if its revision is not `expected`. */
  remove: (db: EngineDatabase, place: EntryKey & { readonly expected: number | undefined }): boolean => {
    const entry = find(db, place)
    if (entry === undefined) return true
    if (place.expected !== undefined && place.expected !== entry.revision) return false
    db.run("DELETE FROM state_entry WHERE bucket = ? AND key = ?", place.bucket, place.key)
    return true
  },

  list: (
    db: EngineDatabase,
    {
      bucket,
      prefix,
      after,
      limit,
      now,
    }: {
      readonly bucket: string
      readonly prefix: string
      readonly after: string
      readonly limit: number
      readonly now: number
    },
  ): ReadonlyArray<Row> =>
    db.all<Row>(
      `${select} AND key > ? AND key >= ? AND substr(key, 1, length(?)) = ? ORDER BY key LIMIT ?`,
      bucket,
      now,
      after,
      prefix,
      prefix,
      prefix,
      limit,
    ),
} satisfies Operations

export const sweep = (db: EngineDatabase, _context: OperationContext, now: number): void => {
  db.run("DELETE FROM state_entry WHERE ends <= ?", now)
}
