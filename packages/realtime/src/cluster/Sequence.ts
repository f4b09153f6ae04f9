/**
 * One room's items in the order of their numbers, each once, however they come. An item says which number was before it:
 * where that one has not been seen, it waits, and somebody must read what is missing. No I/O.
 */
import type { Added, Item } from "@armoricore/history/History"

/** An item that waits for more than this is not kept: it is read with the rest. */
const maxHeld = 1000

export class Sequence {
  /** The highest number that was let through; `undefined` before it is known where to begin. */
  #last: number | undefined = undefined
  readonly #held = new Map<number, Added>()

  get last(): number | undefined {
    return this.#last
  }

  /** Something is missing. */
  get isBehind(): boolean {
    return this.#held.size > 0
  }

  /** Everything up to this number is known already. What waited behind it is let through. */
  begin(last: number): ReadonlyArray<Item> {
    this.#last = Math.max(this.#last ?? 0, last)
    return this.#release()
  }

  /** What may be told now. */
  add(added: Added): ReadonlyArray<Item> {
    const { item, previous } = added
    if (this.#last !== undefined && item.seq <= this.#last) return []
    if (this.#last === undefined || previous > this.#last) {
      if (this.#held.size < maxHeld) this.#held.set(item.seq, added)
      return []
    }
    this.#last = item.seq
    return this.#held.size === 0 ? [item] : [item, ...this.#release()]
  }

  /** The highest number that waits. What is read from here on has everything up to it that is still there. */
  get highestHeld(): number {
    return Math.max(0, ...this.#held.keys())
  }

  /** What was read: all that there is behind `last`, at least up to `upTo`. */
  fill(items: ReadonlyArray<Item>, upTo: number): ReadonlyArray<Item> {
    const told: Array<Item> = []
    for (const item of items) {
      if (item.seq <= (this.#last ?? 0)) continue
      this.#last = item.seq
      told.push(item)
    }
    return [...told, ...this.#release(upTo)]
  }

  #release(upTo = 0): ReadonlyArray<Item> {
    const released: Array<Item> = []
    for (const [seq, { item, previous }] of [...this.#held].sort(([a], [b]) => a - b)) {
      const last: number = this.#last ?? 0
      if (seq > Math.max(last, upTo) && previous > last) break
      this.#held.delete(seq)
      if (seq <= last) continue
      this.#last = seq
      released.push(item)
    }
    return released
  }
}
