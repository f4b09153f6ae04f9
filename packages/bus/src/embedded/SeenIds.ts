/**
 * Finds ids in `bus_seen`, the log of the ids that were published lately, without an index on disk. A random key in an
 * index costs a page of 4 KiB in the write-ahead log for nearly every message; a row at the end of a table costs its own
 * size (measured: 6.7 and 1.4 µs of CPU a message, and more on the disk).
 *
 * The table in memory maps a hash to a sequence of the log, and the row has the last word. So an entry of a transaction that
 * was rolled back does no harm: its row is absent, or is that of another id.
 */
import type { EngineDatabase } from "@armoricore/embedded/Operations"

interface SeenRow {
  readonly seq: number
  readonly id: string
  readonly channel: string
  readonly at: number
}

const smallest = 1024
/** Rows of the log that are read at once. */
const pageSize = 4096
/** A place takes 12 bytes. The table grows when more than half of it is used. */
const placesOf = (entries: number): number => {
  let places = smallest
  while (places < entries * 3) places *= 2
  return places
}

export class SeenIds {
  private hashes = new Int32Array(smallest)
  /** 0: the place is empty. Sequences start at 1. */
  private sequences = new Float64Array(smallest)
  private used = 0

  private constructor(db: EngineDatabase) {
    for (let after = 0; ;) {
      const rows = db.all<SeenRow>(
        "SELECT seq, id, channel FROM bus_seen WHERE seq > ? ORDER BY seq LIMIT ?",
        after,
        pageSize,
      )
      for (const { channel, id, seq } of rows) this.insertOrGrow(db, hashOf(id, channel), seq)
      if (rows.length < pageSize) return
      after = rows.at(-1)?.seq ?? after
    }
  }

  /** Reads the log at the first call of a database. */
  static of(db: EngineDatabase): SeenIds {
    const known = byDatabase.get(db)
    if (known !== undefined) return known
    const made = new SeenIds(db)
    byDatabase.set(db, made)
    return made
  }

  /** Stores that the id was published at `at`. False: it was published on the channel after `since` already. */
  add(db: EngineDatabase, id: string, channel: string, at: number, since: number): boolean {
    const hash = hashOf(id, channel)
    const mask = this.hashes.length - 1
    for (let place = hash & mask; this.sequences[place] !== 0; place = (place + 1) & mask) {
      if (this.hashes[place] !== hash) continue
      const row = db.get<SeenRow>("SELECT seq, id, channel, at FROM bus_seen WHERE seq = ?", this.sequences[place] ?? 0)
      if (row?.id === id && row.channel === channel && row.at > since) return false
    }
    const { lastInsertRowid } = db.run("INSERT INTO bus_seen (id, channel, at) VALUES (?, ?, ?)", id, channel, at)
    this.insertOrGrow(db, hash, lastInsertRowid)
    return true
  }

  /** Deletes the oldest rows up to the first one after `until`, epoch milliseconds. */
  sweep(db: EngineDatabase, until: number): void {
    const first = db.get<SeenRow>("SELECT seq FROM bus_seen WHERE at > ? ORDER BY seq LIMIT 1", until)
    if (first === undefined) db.run("DELETE FROM bus_seen")
    else db.run("DELETE FROM bus_seen WHERE seq < ?", first.seq)
    // Even if this transaction is rolled back: nothing looks for ids that are this old.
    if (this.used > smallest) this.rebuild(db)
  }

  /** Without the entries of deleted rows, and with room for as many again. */
  private rebuild(db: EngineDatabase): void {
    const { hashes, sequences } = this
    const oldest = db.get<{ readonly seq: number | null }>("SELECT min(seq) AS seq FROM bus_seen")?.seq ?? Infinity
    this.allocate(sequences.reduce((count, seq) => count + (seq >= oldest ? 1 : 0), 0))
    sequences.forEach((seq, place) => {
      if (seq >= oldest) this.insert(hashes[place] ?? 0, seq)
    })
  }

  private allocate(entries: number): void {
    const places = placesOf(entries)
    this.hashes = new Int32Array(places)
    this.sequences = new Float64Array(places)
    this.used = 0
  }

  private insertOrGrow(db: EngineDatabase, hash: number, seq: number): void {
    if ((this.used + 1) * 2 > this.hashes.length) this.rebuild(db)
    this.insert(hash, seq)
  }

  private insert(hash: number, seq: number): void {
    const mask = this.hashes.length - 1
    let place = hash & mask
    while (this.sequences[place] !== 0) place = (place + 1) & mask
    this.hashes[place] = hash
    this.sequences[place] = seq
    this.used++
  }
}

const byDatabase = new WeakMap<EngineDatabase, SeenIds>()

/** FNV-1a of the UTF-16 units, with its bits mixed, because the places are its lowest. */
const hashOf = (id: string, channel: string): number => {
  let hash = channel.length
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193)
  hash ^= hash >>> 15
  return Math.imul(hash, 0x2c1b3c6d) ^ (hash >>> 12)
}
