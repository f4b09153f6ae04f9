/**
 * The tables of the bus and the operations on them, run in the engine's thread.
 *
 * A consumer is a position in its channel's table plus a row in `bus_pending` for every message that is delivered and
 * not settled. `due` is when that message may be redelivered: at the end of its ack wait or of its nack delay.
 * Sequences are never reused (AUTOINCREMENT); otherwise a position could hide new messages after older ones were
 * deleted.
 */
import type { EngineDatabase, OperationContext, Operations } from "@armoricore/embedded/Operations"
import { SeenIds } from "./SeenIds.ts"

export type Table = "bus_event" | "bus_work" | "bus_dead"

export interface Row {
  readonly seq: number
  readonly subject: string
  readonly id: string
  /** A JSON object of strings. */
  readonly headers: string
  readonly body: Uint8Array
  readonly at: number
}

export interface LeasedRow extends Row {
  readonly attempt: number
}

export interface ConsumerKey {
  readonly name: string
  readonly table: Table
}

export interface ConsumerFilter extends ConsumerKey {
  /** `undefined` stands for the whole table. */
  readonly subject: string | undefined
}

interface ConsumerRow {
  readonly name: string
  readonly source: string
  readonly position: number
  /** Subjects that a consumer of the whole table leaves out, as a JSON array. */
  readonly skips: string
}

const isNotSkipped = "subject NOT IN (SELECT value FROM json_each(?))"

const messageTable = (table: Table) => `
  CREATE TABLE ${table} (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    subject TEXT NOT NULL,
    id TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX ${table}_subject ON ${table} (subject);`

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
  // A log instead of an index: `SeenIds` finds its rows.
  `CREATE TABLE bus_seen_log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, channel TEXT NOT NULL, at INTEGER NOT NULL
  ) STRICT;
  INSERT INTO bus_seen_log (id, channel, at) SELECT id, channel, at FROM bus_seen ORDER BY at;
  DROP TABLE bus_seen;
  ALTER TABLE bus_seen_log RENAME TO bus_seen;`,
]

/** Never due again: a message that was delivered too often stays stored for an operator to inspect. */
const parked = Number.MAX_SAFE_INTEGER

const insertInto = (table: Table) => `INSERT INTO ${table} (subject, id, headers, body, at) VALUES (?, ?, ?, ?, ?)`
/** Statements are cached by their text. */
const insertStatements: Readonly<Record<Table, string>> = {
  bus_event: insertInto("bus_event"),
  bus_work: insertInto("bus_work"),
  bus_dead: insertInto("bus_dead"),
}

type Publication = Omit<Row, "seq"> & { readonly table: Table; readonly window: number; readonly maxBytes: number }
export type PublishOutcome = "stored" | "duplicate" | "full"

const publish = (db: EngineDatabase, message: Publication, context: OperationContext): PublishOutcome => {
  const { table, subject, id, headers, body, at } = message
  if (table !== "bus_dead" && db.usedBytes() > message.maxBytes) return "full"
  if (!SeenIds.of(db).add(db, id, table, at, at - message.window)) return "duplicate"
  db.run(insertStatements[table], subject, id, headers, body, at)
  context.emit(`ready/${subject}`)
  if (table === "bus_event" && context.hasSubscribers(`message/${subject}`))
    context.emit(`message/${subject}`, { subject, id, headers, body })
  return "stored"
}

const publishMany = (
  db: EngineDatabase,
  messages: ReadonlyArray<Publication>,
  context: OperationContext,
): ReadonlyArray<PublishOutcome> => messages.map((message) => publish(db, message, context))

const broadcast = (
  _db: EngineDatabase,
  { subject, headers, body }: Pick<Row, "subject" | "headers" | "body">,
  context: OperationContext,
): void => context.emit(`message/${subject}`, { subject, headers, body })

/** Returns the source that the consumer of that name reads. Without `skips` those of the consumer stay. */
const ensure = (
  db: EngineDatabase,
  { name, skips, source }: { readonly name: string; readonly source: string; readonly skips?: ReadonlyArray<string> },
): string => {
  db.run("INSERT INTO bus_consumer (name, source, position) VALUES (?, ?, 0) ON CONFLICT DO NOTHING", name, source)
  if (skips !== undefined) db.run("UPDATE bus_consumer SET skips = ? WHERE name = ?", JSON.stringify(skips), name)
  return db.get<{ readonly source: string }>("SELECT source FROM bus_consumer WHERE name = ?", name)?.source ?? source
}

/**
 * Messages leased by a previous owner are due at once: that owner held the folder's lock until it ended, so no process
 * works on them.
 */
const releaseOrphaned = (
  db: EngineDatabase,
  { ownerId, now }: { readonly ownerId: string; readonly now: number },
): number => db.run("UPDATE bus_pending SET due = ?, held = '' WHERE held <> '' AND held <> ?", now, ownerId).changes

const leaseStatement = "UPDATE bus_pending SET attempt = attempt + 1, due = ?, held = ? WHERE consumer = ? AND seq = ?"

const take = (
  db: EngineDatabase,
  args: ConsumerFilter & {
    readonly max: number
    readonly now: number
    readonly ackWait: number
    readonly maxDeliveries: number
    readonly ownerId: string
    /** Sequences to acknowledge, so that a busy consumer needs no transaction of its own for it. */
    readonly acked?: ReadonlyArray<number>
  },
): { readonly rows: ReadonlyArray<LeasedRow>; readonly parkedIds: ReadonlyArray<string>; readonly nextDue: number } => {
  const { name, table, subject, max, now } = args
  if (args.acked !== undefined) ack(db, { name, table, sequences: args.acked })
  const due = now + args.ackWait
  const rows: Array<LeasedRow> = []
  const parkedIds: Array<string> = []
  const redeliveries = db.all<{ readonly seq: number; readonly attempt: number }>(
    "SELECT seq, attempt FROM bus_pending WHERE consumer = ? AND due <= ? ORDER BY due, seq LIMIT ?",
    name,
    now,
    max,
  )
  for (const { seq, attempt } of redeliveries) {
    const row = db.get<Row>(`SELECT * FROM ${table} WHERE seq = ?`, seq)
    if (row === undefined) {
      db.run("DELETE FROM bus_pending WHERE consumer = ? AND seq = ?", name, seq)
    } else if (attempt >= args.maxDeliveries) {
      db.run("UPDATE bus_pending SET due = ?, held = '' WHERE consumer = ? AND seq = ?", parked, name, seq)
      parkedIds.push(row.id)
    } else {
      db.run(leaseStatement, due, args.ownerId, name, seq)
      rows.push({ ...row, attempt: attempt + 1 })
    }
  }
  const wanted = max - rows.length
  if (wanted > 0) {
    const { position: behind = 0, skips = "[]" } =
      db.get<ConsumerRow>("SELECT * FROM bus_consumer WHERE name = ?", name) ?? {}
    const undelivered =
      subject === undefined
        ? db.all<Row>(
            `SELECT * FROM ${table} WHERE seq > ? AND ${isNotSkipped} ORDER BY seq LIMIT ?`,
            behind,
            skips,
            wanted,
          )
        : db.all<Row>(
            `SELECT * FROM ${table} WHERE subject = ? AND seq > ? ORDER BY seq LIMIT ?`,
            subject,
            behind,
            wanted,
          )
    if (undelivered.length > 0) {
      const sequences = JSON.stringify(undelivered.map(({ seq }) => seq))
      db.run("INSERT INTO bus_pending SELECT ?, value, 1, ?, ? FROM json_each(?)", name, due, args.ownerId, sequences)
      for (const row of undelivered) rows.push({ ...row, attempt: 1 })
    }
    // All rows were looked at if fewer than wanted are left; the next call need not look at the skipped ones again.
    const isWhole = skips !== "[]" && undelivered.length < wanted
    const last = isWhole
      ? (db.get<{ readonly seq: number | null }>(`SELECT max(seq) AS seq FROM ${table}`)?.seq ?? 0)
      : (undelivered.at(-1)?.seq ?? 0)
    if (last > behind) db.run("UPDATE bus_consumer SET position = ? WHERE name = ?", last, name)
  }
  const next = db.get<{ readonly due: number | null }>(
    "SELECT min(due) AS due FROM bus_pending WHERE consumer = ?",
    name,
  )
  return { rows, parkedIds, nextDue: next?.due ?? parked }
}

const ack = (
  db: EngineDatabase,
  { name, sequences, table }: ConsumerKey & { readonly sequences: ReadonlyArray<number> },
): void => {
  const all = JSON.stringify(sequences)
  db.run("DELETE FROM bus_pending WHERE consumer = ? AND seq IN (SELECT value FROM json_each(?))", name, all)
  if (table === "bus_work") db.run("DELETE FROM bus_work WHERE seq IN (SELECT value FROM json_each(?))", all)
}

/** Only the latest delivery may change `due`: an older handler that resumes late has no effect. */
const setDue = (
  db: EngineDatabase,
  {
    name,
    seq,
    attempt,
    due,
  }: { readonly name: string; readonly seq: number; readonly attempt: number; readonly due: number },
): boolean =>
  db.run("UPDATE bus_pending SET due = ? WHERE consumer = ? AND seq = ? AND attempt = ?", due, name, seq, attempt)
    .changes > 0

const delayStatement = "UPDATE bus_pending SET due = ?, held = '' WHERE consumer = ? AND seq = ? AND attempt = ?"

/** Wakes the consumers of that subject in every process, so that each knows when the message is due. */
const retry = (
  db: EngineDatabase,
  args: Parameters<typeof setDue>[1] & { readonly subject: string },
  context: OperationContext,
): void => {
  const { attempt, due, name, seq } = args
  if (db.run(delayStatement, due, name, seq, attempt).changes > 0) context.emit(`ready/${args.subject}`)
}

const depth = (
  db: EngineDatabase,
  { name, table, subject, now }: ConsumerFilter & { readonly now: number },
): { readonly pending: number; readonly inFlight: number; readonly oldestAgeMillis: number } => {
  const { position = 0, skips = "[]" } = db.get<ConsumerRow>("SELECT * FROM bus_consumer WHERE name = ?", name) ?? {}
  const filter = subject === undefined ? isNotSkipped : "subject = ?"
  const undelivered = db.get<{ readonly n: number; readonly at: number | null }>(
    `SELECT count(*) AS n, min(at) AS at FROM ${table} WHERE ${filter} AND seq > ?`,
    subject ?? skips,
    position,
  )
  const unsettled = db.get<{ readonly n: number; readonly at: number | null }>(
    `SELECT count(*) AS n, min(at) AS at FROM bus_pending JOIN ${table} USING (seq) WHERE consumer = ?`,
    name,
  )
  const oldest = Math.min(undelivered?.at ?? now, unsettled?.at ?? now)
  return { pending: undelivered?.n ?? 0, inFlight: unsettled?.n ?? 0, oldestAgeMillis: Math.max(0, now - oldest) }
}

/** A page of the events whose body contains `text`; `isHandled`: every consumer of the subject has settled it. */
const findEvents = (
  db: EngineDatabase,
  args: { readonly text: string; readonly after: number; readonly limit: number; readonly all: string },
): ReadonlyArray<Row & { readonly isHandled: boolean }> => {
  const consumers = db
    .all<ConsumerRow>("SELECT * FROM bus_consumer")
    .map((consumer) => ({ ...consumer, skipped: new Set<string>(JSON.parse(consumer.skips)) }))
  const isPending = (name: string, seq: number) =>
    db.get("SELECT 1 FROM bus_pending WHERE consumer = ? AND seq = ?", name, seq) !== undefined
  return db
    .all<Row>(
      "SELECT * FROM bus_event WHERE seq > ? AND instr(body, CAST(? AS BLOB)) > 0 ORDER BY seq LIMIT ?",
      args.after,
      args.text,
      args.limit,
    )
    .map((row) => ({
      ...row,
      isHandled: consumers
        .filter(({ skipped, source }) => (source === row.subject || source === args.all) && !skipped.has(row.subject))
        .every(({ name, position }) => position >= row.seq && !isPending(name, row.seq)),
    }))
}

const removeEvent = (db: EngineDatabase, { seq }: { readonly seq: number }): boolean =>
  db.run("DELETE FROM bus_event WHERE seq = ?", seq).changes > 0

/** The subject of a dead letter is `armoricore-dead.<service>.<type>`; null matches any value. */
const deadLetters = (
  db: EngineDatabase,
  args: {
    readonly service: string | null
    readonly type: string | null
    readonly after: number
    readonly limit: number
  },
): ReadonlyArray<Row> =>
  db.all<Row>(
    `SELECT seq, subject, id, headers, body, at
     FROM (SELECT *, substr(subject, 17) AS rest FROM bus_dead WHERE seq > ?1)
     WHERE (?2 IS NULL OR substr(rest, 1, instr(rest, '.') - 1) = ?2)
       AND (?3 IS NULL OR substr(rest, instr(rest, '.') + 1) = ?3)
     ORDER BY seq LIMIT ?4`,
    args.after,
    args.service,
    args.type,
    args.limit,
  )

const deadLetter = (db: EngineDatabase, { seq }: { readonly seq: number }): Row | undefined =>
  db.get<Row>("SELECT * FROM bus_dead WHERE seq = ?", seq)

const removeDeadLetter = (db: EngineDatabase, { seq }: { readonly seq: number }): boolean =>
  db.run("DELETE FROM bus_dead WHERE seq = ?", seq).changes > 0

export const operations = {
  publish,
  publishMany,
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
} satisfies Operations

/** `eventAge` and `window` in milliseconds. Pending rows of deleted events are dropped when they become due. */
export const sweep = (db: EngineDatabase, { options }: OperationContext, now: number): void => {
  const { eventAge, window } = options
  if (window !== undefined) SeenIds.of(db).sweep(db, now - window)
  if (eventAge !== undefined) db.run("DELETE FROM bus_event WHERE at <= ?", now - eventAge)
}
