export const migrations = [
    `CREATE TABLE state_entry (
    bucket TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, revision INTEGER NOT NULL, ends INTEGER
  ) STRICT;
  CREATE UNIQUE INDEX state_entry_key ON state_entry (bucket, key);
  CREATE INDEX state_entry_ends ON state_entry (ends) WHERE ends IS NOT NULL;
  CREATE TABLE state_revision (last INTEGER NOT NULL) STRICT;
  INSERT INTO state_revision VALUES (0);`,
];
const select = "SELECT key, value, revision FROM state_entry WHERE bucket = ? AND (ends IS NULL OR ends > ?)";
const find = (db, { bucket, key, now }) => db.get(`${select} AND key = ?`, bucket, now, key);
export const operations = {
    get: (db, place) => find(db, place),
    /**
     * `expected`: the revision that must be current, 0 for no entry, undefined for any. Returns undefined on a mismatch.
     */
    write: (db, place) => {
        const { bucket, key, value, expiresAt, expected } = place;
        if (expected !== undefined && (find(db, place)?.revision ?? 0) !== expected)
            return undefined;
        db.run("UPDATE state_revision SET last = last + 1");
        const revision = db.get("SELECT last FROM state_revision")?.last ?? 0;
        db.run(`INSERT INTO state_entry (bucket, key, value, revision, ends) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (bucket, key) DO UPDATE SET value = excluded.value, revision = excluded.revision, ends = excluded.ends`, bucket, key, value, revision, expiresAt ?? null);
        return revision;
    },
    /** Returns whether the entry is removed; false if its revision is not `expected`. */
    remove: (db, place) => {
        const entry = find(db, place);
        if (entry === undefined)
            return true;
        if (place.expected !== undefined && place.expected !== entry.revision)
            return false;
        db.run("DELETE FROM state_entry WHERE bucket = ? AND key = ?", place.bucket, place.key);
        return true;
    },
    list: (db, { bucket, prefix, after, limit, now, }) => db.all(`${select} AND key > ? AND key >= ? AND substr(key, 1, length(?)) = ? ORDER BY key LIMIT ?`, bucket, now, after, prefix, prefix, prefix, limit),
};
export const sweep = (db, _context, now) => {
    db.run("DELETE FROM state_entry WHERE ends <= ?", now);
};
