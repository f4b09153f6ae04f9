/**
 * Puts one room's items into the order of their numbers, each once. An item carries the number of its predecessor: if that
 * one is missing, the item is buffered and its caller reads the gap from the history. No I/O.
 */
import type { AppendNotification, HistoryItem } from "@armoricore/history/History"

/** Further items are dropped; the backfill reads them. */
const maxBuffered = 1000

export class ReorderBuffer {
  /** The highest released number; `undefined` before `start`. */
  #lastSeq: number | undefined = undefined
  readonly #buffered = new Map<number, AppendNotification>()

  get lastSeq(): number | undefined {
    return this.#lastSeq
  }

  get hasGap(): boolean {
    return this.#buffered.size > 0
  }

  /** Items up to this number are known. Releases the buffered items behind it. */
  start(last: number): ReadonlyArray<HistoryItem> {
    this.#lastSeq = Math.max(this.#lastSeq ?? 0, last)
    return this.#release()
  }

  /** Returns the items to deliver now. */
  push(appended: AppendNotification): ReadonlyArray<HistoryItem> {
    const { item, previousSeq } = appended
    if (this.#lastSeq !== undefined && item.seq <= this.#lastSeq) return []
    if (this.#lastSeq === undefined || previousSeq > this.#lastSeq) {
      if (this.#buffered.size < maxBuffered) this.#buffered.set(item.seq, appended)
      return []
    }
    this.#lastSeq = item.seq
    return this.#buffered.size === 0 ? [item] : [item, ...this.#release()]
  }

  /** The highest buffered number. A read that starts now returns every remaining item up to it. */
  get highestBuffered(): number {
    return Math.max(0, ...this.#buffered.keys())
  }

  /** `items`: everything that the history has after `lastSeq`, at least up to `upTo`. Returns the items to deliver. */
  backfill(items: ReadonlyArray<HistoryItem>, upTo: number): ReadonlyArray<HistoryItem> {
    const missed: Array<HistoryItem> = []
    for (const item of items) {
      if (item.seq <= (this.#lastSeq ?? 0)) continue
      this.#lastSeq = item.seq
      missed.push(item)
    }
    return [...missed, ...this.#release(upTo)]
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
