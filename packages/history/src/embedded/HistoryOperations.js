export const migrations = [
    `CREATE TABLE history_room (
    room TEXT PRIMARY KEY, last INTEGER NOT NULL, trimmed INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE history_item (
    room TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, body BLOB
  ) STRICT;
  CREATE UNIQUE INDEX history_item_seq ON history_item (room, seq);
  CREATE UNIQUE INDEX history_item_id ON history_item (room, id);
  CREATE INDEX history_item_at ON history_item (at);`,
];
const roomOf = (db, room) => db.get("SELECT last, trimmed FROM history_room WHERE room = ?", room) ?? { last: 0, trimmed: 0 };
const cutoff = (context, now) => now - (context.options["maxAge"] ?? 0);
/** How many items fit the limits of a page, at least one. */
const countFitting = (sizes, limit, maxBytes = Number.POSITIVE_INFINITY) => {
    let total = 0;
    const excess = sizes.findIndex(({ bytes }, index) => {
        total += bytes;
        return index > 0 && total > maxBytes;
    });
    return Math.min(limit, excess === -1 ? sizes.length : excess);
};
/** Whether every item after `after` is stored. The `seq` of a room has no gaps, and removed items leave their row. */
const isComplete = (db, room, after, oldest) => {
    const { last, trimmed } = roomOf(db, room);
    const first = db.get("SELECT seq FROM history_item WHERE room = ? AND at > ? ORDER BY seq LIMIT 1", room, oldest);
    const gone = Math.max(trimmed, first === undefined ? last : first.seq - 1);
    return after >= gone && after <= last;
};
export const operations = {
    append: (db, { room, id, body, now }, context) => {
        const known = db.get("SELECT seq, body FROM history_item WHERE room = ? AND id = ?", room, id);
        if (known !== undefined)
            return { ...known, fresh: false };
        const { last, trimmed } = roomOf(db, room);
        const seq = last + 1;
        const gone = Math.max(trimmed, seq - (context.options["maxPerRoom"] ?? 0));
        db.run(`INSERT INTO history_room VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET last = excluded.last, trimmed = excluded.trimmed`, room, seq, gone);
        db.run("INSERT INTO history_item (room, seq, id, at, body) VALUES (?, ?, ?, ?, ?)", room, seq, id, now, body);
        if (gone > trimmed)
            db.run("DELETE FROM history_item WHERE room = ? AND seq <= ?", room, gone);
        const topic = `added/${room}`;
        if (context.hasSubscribers(topic))
            context.emit(topic, { item: { seq, id, body }, previousSeq: last });
        return { seq, body, fresh: true };
    },
    read: (db, { room, after, before, limit, maxBytes, now }, context) => {
        // Items that are too old and not swept yet are hidden.
        const oldest = cutoff(context, now);
        const visible = "room = ? AND at > ? AND body IS NOT NULL";
        // The sizes first: only the bodies of the page are read.
        const sizes = after === undefined
            ? db.all(`SELECT seq, LENGTH(body) AS bytes FROM history_item WHERE ${visible} AND seq < ? ORDER BY seq DESC LIMIT ?`, room, oldest, before ?? Number.MAX_SAFE_INTEGER, limit + 1)
            : db.all(`SELECT seq, LENGTH(body) AS bytes FROM history_item WHERE ${visible} AND seq > ? ORDER BY seq LIMIT ?`, room, oldest, after, limit + 1);
        const count = countFitting(sizes, limit, maxBytes);
        const ends = [sizes[0]?.seq ?? 0, sizes[count - 1]?.seq ?? -1];
        const rows = db.all(`SELECT seq, id, body FROM history_item WHERE ${visible} AND seq BETWEEN ? AND ? ORDER BY seq`, room, oldest, Math.min(...ends), Math.max(...ends));
        return { rows, more: sizes.length > count, complete: after === undefined || isComplete(db, room, after, oldest) };
    },
    get: (db, { room, id, now }, context) => db.get("SELECT seq, id, body FROM history_item WHERE room = ? AND id = ? AND at > ? AND body IS NOT NULL", room, id, cutoff(context, now)),
    replace: (db, { room, id, expected, body }) => db.run("UPDATE history_item SET body = ? WHERE room = ? AND id = ? AND body = ?", body, room, id, expected)
        .changes > 0,
    count: (db, { room, after, limit, now }, context) => db.get(`SELECT COUNT(*) AS count FROM (
        SELECT 1 FROM history_item WHERE room = ? AND at > ? AND body IS NOT NULL AND seq > ? LIMIT ?)`, room, cutoff(context, now), after, limit)?.count ?? 0,
    remove: (db, { room, id }) => db.run("UPDATE history_item SET body = NULL WHERE room = ? AND id = ? AND body IS NOT NULL", room, id).changes > 0,
    /** A page of the items whose body contains `text`, by row id. */
    find: (db, { after, limit, text }) => db.all(`SELECT rowid AS row, room, id, body FROM history_item
       WHERE rowid > ? AND instr(body, CAST(? AS BLOB)) > 0 ORDER BY rowid LIMIT ?`, after, text, limit),
};
export const sweep = (db, context, now) => {
    const oldest = cutoff(context, now);
    db.run(`UPDATE history_room SET trimmed = MAX(trimmed, aged.seq)
     FROM (SELECT room, MAX(seq) AS seq FROM history_item WHERE at <= ? GROUP BY room) AS aged
     WHERE aged.room = history_room.room`, oldest);
    db.run("DELETE FROM history_item WHERE at <= ?", oldest);
};
