/**
 * The `seq` of recent items by their id: a stream finds a message by its sequence, not by its id. An id that is not here is
 * found by the index of a large room (`NatsIdIndex`), or searched in the stream, from the newest item on.
 */

/** Enough for the recent items of the active rooms. */
const maxItems = 20_000

export class ItemPositions {
  /** The most recently noted item last. */
  readonly #seqs = new Map<string, number>()

  note(room: string, { id, seq }: { readonly id: string; readonly seq: number }): void {
    this.#seqs.set(keyOf(room, id), seq)
    if (this.#seqs.size <= maxItems) return
    const [oldest] = this.#seqs.keys()
    if (oldest !== undefined) this.#seqs.delete(oldest)
  }

  seqOf(room: string, id: string): number | undefined {
    return this.#seqs.get(keyOf(room, id))
  }
}

const keyOf = (room: string, id: string): string => `${room} ${id}`
