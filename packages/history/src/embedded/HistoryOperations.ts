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
    { room, since, limit, now }: RoomKey & { readonly since: number; readonly limit: number },
    context: OperationContext,
  ): { readonly rows: ReadonlyArray<Row>; readonly complete: boolean } => {
    const { last, trimmed } = roomOf(db, room)
    const oldest = cutoff(context, now)
    // Items that are too old and not swept yet are hidden.
    const aged = db.get<{ readonly seq: number | null }>(
      "SELECT MAX(seq) AS seq FROM history_item WHERE room = ? AND at <= ?",
      room,
      oldest,
    )
    const found = db.all<Row>(
      `SELECT seq, id, body FROM history_item
       WHERE room = ? AND seq > ? AND at > ? AND body IS NOT NULL ORDER BY seq DESC LIMIT ?`,
      room,
      since,
      oldest,
      limit + 1,
    )
    const gone = Math.max(trimmed, aged?.seq ?? 0)
    const rows = found.slice(0, limit).reverse()
    return { rows, complete: since >= gone && since <= last && found.length <= limit }
  },

  remove: (db: EngineDatabase, { room, id }: { readonly room: string; readonly id: string }): boolean =>
    db.run("UPDATE history_item SET body = NULL WHERE room = ? AND id = ? AND body IS NOT NULL", room, id).changes > 0,
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
