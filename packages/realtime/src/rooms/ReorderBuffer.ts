/**
 * One room's items in the order of their numbers, each once, however they come. An item says which number was before it:
 * where that one has not been seen, it waits, and somebody must read what is missing. No I/O.
 */
import type { AppendNotification, HistoryItem } from "@armoricore/history/History"

/** An item that waits for more than this is not kept: it is read with the rest. */
const maxBuffered = 1000

export class ReorderBuffer {
  /** The highest number that was let through; `undefined` before it is known where to begin. */
  #lastSeq: number | undefined = undefined
  readonly #buffered = new Map<number, AppendNotification>()

  get lastSeq(): number | undefined {
    return this.#lastSeq
  }

  /** Something is missing. */
  get hasGap(): boolean {
    return this.#buffered.size > 0
  }

  /** Everything up to this number is known already. What waited behind it is let through. */
  start(last: number): ReadonlyArray<HistoryItem> {
    this.#lastSeq = Math.max(this.#lastSeq ?? 0, last)
    return this.#release()
  }

  /** What may be told now. */
  push(added: AppendNotification): ReadonlyArray<HistoryItem> {
    const { item, previousSeq } = added
    if (this.#lastSeq !== undefined && item.seq <= this.#lastSeq) return []
    if (this.#lastSeq === undefined || previousSeq > this.#lastSeq) {
      if (this.#buffered.size < maxBuffered) this.#buffered.set(item.seq, added)
      return []
    }
    this.#lastSeq = item.seq
    return this.#buffered.size === 0 ? [item] : [item, ...this.#release()]
  }

  /** The highest number that waits. What is read from here on has everything up to it that is still there. */
  get highestBuffered(): number {
    return Math.max(0, ...this.#buffered.keys())
  }

  /** What was read: all that there is behind `last`, at least up to `upTo`. */
  backfill(items: ReadonlyArray<HistoryItem>, upTo: number): ReadonlyArray<HistoryItem> {
    const told: Array<HistoryItem> = []
    for (const item of items) {
      if (item.seq <= (this.#lastSeq ?? 0)) continue
      this.#lastSeq = item.seq
      told.push(item)
    }
    return [...told, ...this.#release(upTo)]
  }

  #release(upTo = 0): ReadonlyArray<HistoryItem> {
    const released: Array<HistoryItem> = []
    for (const [seq, { item, previousSeq }] of [...this.#buffered].sort(([a], [b]) => a - b)) {
      const last: number = this.#lastSeq ?? 0
      if (seq > Math.max(last, upTo) && previousSeq > last) break
      this.#buffered.delete(seq)
      if (seq <= last) continue
      this.#lastSeq = seq
      released.push(item)
    }
    return released
  }
}
