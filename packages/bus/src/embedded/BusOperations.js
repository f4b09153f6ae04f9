const isNotSkipped = "subject NOT IN (SELECT value FROM json_each(?))";
const messageTable = (table) => `
  CREATE TABLE ${table} (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    subject TEXT NOT NULL,
    id TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX ${table}_subject ON ${table} (subject);`;
export const migrations = [
    `${messageTable("bus_event")} ${messageTable("bus_work")} ${messageTable("bus_dead")}
  CREATE TABLE bus_seen (
    id TEXT NOT NULL, channel TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (id, channel)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE bus_consumer (
    name TEXT PRIMARY KEY, source TEXT NOT NULL, position INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE bus_pending (
    consumer TEXT NOT NULL, seq INTEGER NOT NULL, attempt INTEGER NOT NULL, due INTEGER NOT NULL,
    PRIMARY KEY (consumer, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX bus_pending_due ON bus_pending (consumer, due);`,
    // The id of the folder's owner under which a message is being handled; empty while it waits, or when a child process
    // handles it.
    `ALTER TABLE bus_pending ADD COLUMN held TEXT NOT NULL DEFAULT '';`,
    `ALTER TABLE bus_consumer ADD COLUMN skips TEXT NOT NULL DEFAULT '[]';`,
];
/** Never due again: a message that was delivered too often stays stored for an operator to inspect. */
const parked = Number.MAX_SAFE_INTEGER;
const insertInto = (table) => `INSERT INTO ${table} (subject, id, headers, body, at) VALUES (?, ?, ?, ?, ?)`;
/** Statements are cached by their text. */
const insertStatements = {
    bus_event: insertInto("bus_event"),
    bus_work: insertInto("bus_work"),
    bus_dead: insertInto("bus_dead"),
};
const publish = (db, message, context) => {
    const { table, subject, id, headers, body, at } = message;
    if (table !== "bus_dead" && db.usedBytes() > message.maxBytes)
        return "full";
    const { changes } = db.run("INSERT INTO bus_seen VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at WHERE at <= excluded.at - ?", id, table, at, message.window);
    if (changes === 0)
        return "duplicate";
    db.run(insertStatements[table], subject, id, headers, body, at);
    context.emit(`ready/${subject}`);
    if (table === "bus_event" && context.hasSubscribers(`message/${subject}`))
        context.emit(`message/${subject}`, { subject, id, headers, body });
    return "stored";
};
const broadcast = (_db, { subject, headers, body }, context) => context.emit(`message/${subject}`, { subject, headers, body });
/** Returns the source that the consumer of that name reads. Without `skips` those of the consumer stay. */
const ensure = (db, { name, skips, source }) => {
    db.run("INSERT INTO bus_consumer (name, source, position) VALUES (?, ?, 0) ON CONFLICT DO NOTHING", name, source);
    if (skips !== undefined)
        db.run("UPDATE bus_consumer SET skips = ? WHERE name = ?", JSON.stringify(skips), name);
    return db.get("SELECT source FROM bus_consumer WHERE name = ?", name)?.source ?? source;
};
/**
 * Messages leased by a previous owner are due at once: that owner held the folder's lock until it ended, so no process
 * works on them.
 */
const releaseOrphaned = (db, { ownerId, now }) => db.run("UPDATE bus_pending SET due = ?, held = '' WHERE held <> '' AND held <> ?", now, ownerId).changes;
const leaseStatement = "UPDATE bus_pending SET attempt = attempt + 1, due = ?, held = ? WHERE consumer = ? AND seq = ?";
const take = (db, args) => {
    const { name, table, subject, max, now } = args;
    const due = now + args.ackWait;
    const rows = [];
    const parkedIds = [];
    const redeliveries = db.all("SELECT seq, attempt FROM bus_pending WHERE consumer = ? AND due <= ? ORDER BY due, seq LIMIT ?", name, now, max);
    for (const { seq, attempt } of redeliveries) {
        const row = db.get(`SELECT * FROM ${table} WHERE seq = ?`, seq);
        if (row === undefined) {
            db.run("DELETE FROM bus_pending WHERE consumer = ? AND seq = ?", name, seq);
        }
        else if (attempt >= args.maxDeliveries) {
            db.run("UPDATE bus_pending SET due = ?, held = '' WHERE consumer = ? AND seq = ?", parked, name, seq);
            parkedIds.push(row.id);
        }
        else {
            db.run(leaseStatement, due, args.ownerId, name, seq);
            rows.push({ ...row, attempt: attempt + 1 });
        }
    }
    const wanted = max - rows.length;
    if (wanted > 0) {
        const { position: behind = 0, skips = "[]" } = db.get("SELECT * FROM bus_consumer WHERE name = ?", name) ?? {};
        const undelivered = subject === undefined
            ? db.all(`SELECT * FROM ${table} WHERE seq > ? AND ${isNotSkipped} ORDER BY seq LIMIT ?`, behind, skips, wanted)
            : db.all(`SELECT * FROM ${table} WHERE subject = ? AND seq > ? ORDER BY seq LIMIT ?`, subject, behind, wanted);
        for (const row of undelivered) {
            db.run("INSERT INTO bus_pending VALUES (?, ?, 1, ?, ?)", name, row.seq, due, args.ownerId);
            rows.push({ ...row, attempt: 1 });
        }
        // All rows were looked at if fewer than wanted are left; the next call need not look at the skipped ones again.
        const isWhole = skips !== "[]" && undelivered.length < wanted;
        const last = isWhole
            ? (db.get(`SELECT max(seq) AS seq FROM ${table}`)?.seq ?? 0)
            : (undelivered.at(-1)?.seq ?? 0);
        if (last > behind)
            db.run("UPDATE bus_consumer SET position = ? WHERE name = ?", last, name);
    }
    const next = db.get("SELECT min(due) AS due FROM bus_pending WHERE consumer = ?", name);
    return { rows, parkedIds, nextDue: next?.due ?? parked };
};
const ack = (db, { name, table, seq }) => {
    db.run("DELETE FROM bus_pending WHERE consumer = ? AND seq = ?", name, seq);
    if (table === "bus_work")
        db.run("DELETE FROM bus_work WHERE seq = ?", seq);
};
/** Only the latest delivery may change `due`: an older handler that resumes late has no effect. */
const setDue = (db, { name, seq, attempt, due, }) => db.run("UPDATE bus_pending SET due = ? WHERE consumer = ? AND seq = ? AND attempt = ?", due, name, seq, attempt)
    .changes > 0;
const delayStatement = "UPDATE bus_pending SET due = ?, held = '' WHERE consumer = ? AND seq = ? AND attempt = ?";
/** Wakes the consumers of that subject in every process, so that each knows when the message is due. */
const retry = (db, args, context) => {
    const { attempt, due, name, seq } = args;
    if (db.run(delayStatement, due, name, seq, attempt).changes > 0)
        context.emit(`ready/${args.subject}`);
};
const depth = (db, { name, table, subject, now }) => {
    const { position = 0, skips = "[]" } = db.get("SELECT * FROM bus_consumer WHERE name = ?", name) ?? {};
    const filter = subject === undefined ? isNotSkipped : "subject = ?";
    const undelivered = db.get(`SELECT count(*) AS n, min(at) AS at FROM ${table} WHERE ${filter} AND seq > ?`, subject ?? skips, position);
    const unsettled = db.get(`SELECT count(*) AS n, min(at) AS at FROM bus_pending JOIN ${table} USING (seq) WHERE consumer = ?`, name);
    const oldest = Math.min(undelivered?.at ?? now, unsettled?.at ?? now);
    return { pending: undelivered?.n ?? 0, inFlight: unsettled?.n ?? 0, oldestAgeMillis: Math.max(0, now - oldest) };
};
/** A page of the events whose body contains `text`; `isHandled`: every consumer of the subject has settled it. */
const findEvents = (db, args) => {
    const consumers = db
        .all("SELECT * FROM bus_consumer")
        .map((consumer) => ({ ...consumer, skipped: new Set(JSON.parse(consumer.skips)) }));
    const isPending = (name, seq) => db.get("SELECT 1 FROM bus_pending WHERE consumer = ? AND seq = ?", name, seq) !== undefined;
    return db
        .all("SELECT * FROM bus_event WHERE seq > ? AND instr(body, CAST(? AS BLOB)) > 0 ORDER BY seq LIMIT ?", args.after, args.text, args.limit)
        .map((row) => ({
        ...row,
        isHandled: consumers
            .filter(({ skipped, source }) => (source === row.subject || source === args.all) && !skipped.has(row.subject))
            .every(({ name, position }) => position >= row.seq && !isPending(name, row.seq)),
    }));
};
const removeEvent = (db, { seq }) => db.run("DELETE FROM bus_event WHERE seq = ?", seq).changes > 0;
/** The subject of a dead letter is `armoricore-dead.<service>.<type>`; null matches any value. */
const deadLetters = (db, args) => db.all(`SELECT seq, subject, id, headers, body, at
     FROM (SELECT *, substr(subject, 17) AS rest FROM bus_dead WHERE seq > ?1)
     WHERE (?2 IS NULL OR substr(rest, 1, instr(rest, '.') - 1) = ?2)
       AND (?3 IS NULL OR substr(rest, instr(rest, '.') + 1) = ?3)
     ORDER BY seq LIMIT ?4`, args.after, args.service, args.type, args.limit);
const deadLetter = (db, { seq }) => db.get("SELECT * FROM bus_dead WHERE seq = ?", seq);
const removeDeadLetter = (db, { seq }) => db.run("DELETE FROM bus_dead WHERE seq = ?", seq).changes > 0;
export const operations = {
    publish,
    broadcast,
    ensure,
    take,
    ack,
    retry,
    extendLease: setDue,
    releaseOrphaned,
    depth,
    findEvents,
    removeEvent,
    deadLetters,
    deadLetter,
    removeDeadLetter,
};
/** `eventAge` and `window` in milliseconds. Pending rows of deleted events are dropped when they become due. */
export const sweep = (db, { options }, now) => {
    const { eventAge, window } = options;
    if (window !== undefined)
        db.run("DELETE FROM bus_seen WHERE at <= ?", now - window);
    if (eventAge !== undefined)
        db.run("DELETE FROM bus_event WHERE at <= ?", now - eventAge);
};
