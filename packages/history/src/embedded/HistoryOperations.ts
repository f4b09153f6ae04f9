/**
 * The tables of the history and the operations on them, run in the engine's thread. A room's `seq` has no gaps; its row
 * outlives its items, so that no `seq` is reused. An item without a body was removed: the row blocks its id.
 */
import type { EngineDatabase, OperationContext, Operations } from "@armoricore/embedded/Operations"

/** As `AppendNotification` of the port; declared here so that the thread loads nothing else. */
interface AppendNotification {
  readonly item: { readonly seq: number; readonly id: string; readonly body: Uint8Array }
  readonly previousSeq: number
}

export interface Row {
  readonly seq: number
  readonly id: string
  readonly body: Uint8Array
}

export interface FoundRow {
  readonly row: number
  readonly room: string
  readonly id: string
  readonly body: Uint8Array
}

interface Replacement {
  readonly expected: Uint8Array
  readonly body: Uint8Array
}

interface RoomKey {
  readonly room: string
  /** Epoch milliseconds. */
  readonly now: number
}

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
]

interface Room {
  readonly last: number
  readonly trimmed: number
}

const roomOf = (db: EngineDatabase, room: string): Room =>
  db.get<Room>("SELECT last, trimmed FROM history_room WHERE room = ?", room) ?? { last: 0, trimmed: 0 }

const cutoff = (context: OperationContext, now: number): number => now - (context.options["maxAge"] ?? 0)

interface PageBounds {
  readonly after?: number | undefined
  readonly before?: number | undefined
  readonly limit: number
  readonly maxBytes?: number | undefined
}

interface Size {
  readonly seq: number
  readonly bytes: number
}

/** How many items fit the limits of a page, at least one. */
const countFitting = (sizes: ReadonlyArray<Size>, limit: number, maxBytes = Number.POSITIVE_INFINITY): number => {
  let total = 0
  const excess = sizes.findIndex(({ bytes }, index) => {
    total += bytes
    return index > 0 && total > maxBytes
  })
  return Math.min(limit, excess === -1 ? sizes.length : excess)
}

/** Whether every item after `after` is stored. The `seq` of a room has no gaps, and removed items leave their row. */
const isComplete = (db: EngineDatabase, room: string, after: number, oldest: number): boolean => {
  const { last, trimmed } = roomOf(db, room)
  const first = db.get<{ readonly seq: number }>(
    "SELECT seq FROM history_item WHERE room = ? AND at > ? ORDER BY seq LIMIT 1",
    room,
    oldest,
  )
  const gone = Math.max(trimmed, first === undefined ? last : first.seq - 1)
  return after >= gone && after <= last
}

export const operations = {
  append: (
    db: EngineDatabase,
    { room, id, body, now }: RoomKey & { readonly id: string; readonly body: Uint8Array },
    context: OperationContext,
  ): { readonly seq: number; readonly body: Uint8Array | null; readonly fresh: boolean } => {
    const known = db.get<{ readonly seq: number; readonly body: Uint8Array | null }>(
      "SELECT seq, body FROM history_item WHERE room = ? AND id = ?",
      room,
      id,
    )
    if (known !== undefined) return { ...known, fresh: false }
    const { last, trimmed } = roomOf(db, room)
    const seq = last + 1
    const gone = Math.max(trimmed, seq - (context.options["maxPerRoom"] ?? 0))
    db.run(
      `INSERT INTO history_room VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET last = excluded.last, trimmed = excluded.trimmed`,
      room,
      seq,
      gone,
    )
    db.run("INSERT INTO history_item (room, seq, id, at, body) VALUES (?, ?, ?, ?, ?)", room, seq, id, now, body)
    if (gone > trimmed) db.run("DELETE FROM history_item WHERE room = ? AND seq <= ?", room, gone)
    const topic = `added/${room}`
    if (context.hasSubscribers(topic))
      context.emit(topic, { item: { seq, id, body }, previousSeq: last } satisfies AppendNotification)
    return { seq, body, fresh: true }
  },

  read: (
    db: EngineDatabase,
    { room, after, before, limit, maxBytes, now }: RoomKey & PageBounds,
    context: OperationContext,
  ): { readonly rows: ReadonlyArray<Row>; readonly more: boolean; readonly complete: boolean } => {
    // Items that are too old and not swept yet are hidden.
    const oldest = cutoff(context, now)
    const visible = "room = ? AND at > ? AND body IS NOT NULL"
    // The sizes first: only the bodies of the page are read.
    const sizes =
      after === undefined
        ? db.all<Size>(
            `SELECT seq, LENGTH(body) AS bytes FROM history_item WHERE ${visible} AND seq < ? ORDER BY seq DESC LIMIT ?`,
            room,
            oldest,
            before ?? Number.MAX_SAFE_INTEGER,
            limit + 1,
          )
        : db.all<Size>(
            `SELECT seq, LENGTH(body) AS bytes FROM history_item WHERE ${visible} AND seq > ? ORDER BY seq LIMIT ?`,
            room,
            oldest,
            after,
            limit + 1,
          )
    const count = countFitting(sizes, limit, maxBytes)
    const ends = [sizes[0]?.seq ?? 0, sizes[count - 1]?.seq ?? -1]
    const rows = db.all<Row>(
      `SELECT seq, id, body FROM history_item WHERE ${visible} AND seq BETWEEN ? AND ? ORDER BY seq`,
      room,
      oldest,
      Math.min(...ends),
      Math.max(...ends),
    )
    return { rows, more: sizes.length > count, complete: after === undefined || isComplete(db, room, after, oldest) }
  },

  get: (
    db: EngineDatabase,
    { room, id, now }: RoomKey & { readonly id: string },
    context: OperationContext,
  ): Row | undefined =>
    db.get<Row>(
      "SELECT seq, id, body FROM history_item WHERE room = ? AND id = ? AND at > ? AND body IS NOT NULL",
      room,
      id,
      cutoff(context, now),
    ),

  replace: (
    db: EngineDatabase,
    { room, id, expected, body }: { readonly room: string; readonly id: string } & Replacement,
  ): boolean =>
    db.run("UPDATE history_item SET body = ? WHERE room = ? AND id = ? AND body = ?", body, room, id, expected)
      .changes > 0,

  count: (
    db: EngineDatabase,
    { room, after, limit, now }: RoomKey & { readonly after: number; readonly limit: number },
    context: OperationContext,
  ): number =>
    db.get<{ readonly count: number }>(
      `SELECT COUNT(*) AS count FROM (
        SELECT 1 FROM history_item WHERE room = ? AND at > ? AND body IS NOT NULL AND seq > ? LIMIT ?)`,
      room,
      cutoff(context, now),
      after,
      limit,
    )?.count ?? 0,

  remove: (db: EngineDatabase, { room, id }: { readonly room: string; readonly id: string }): boolean =>
    db.run("UPDATE history_item SET body = NULL WHERE room = ? AND id = ? AND body IS NOT NULL", room, id).changes > 0,

  /** A page of the items whose body contains `text`, by row id. */
  find: (
    db: EngineDatabase,
    { after, limit, text }: { readonly text: string; readonly after: number; readonly limit: number },
  ): ReadonlyArray<FoundRow> =>
    db.all<FoundRow>(
      `SELECT rowid AS row, room, id, body FROM history_item
       WHERE rowid > ? AND instr(body, CAST(? AS BLOB)) > 0 ORDER BY rowid LIMIT ?`,
      after,
      text,
      limit,
    ),
} satisfies Operations

export const sweep = (db: EngineDatabase, context: OperationContext, now: number): void => {
  const oldest = cutoff(context, now)
  db.run(
    `UPDATE history_room SET trimmed = MAX(trimmed, aged.seq)
     FROM (SELECT room, MAX(seq) AS seq FROM history_item WHERE at <= ? GROUP BY room) AS aged
     WHERE aged.room = history_room.room`,
    oldest,
  )
  db.run("DELETE FROM history_item WHERE at <= ?", oldest)
}
