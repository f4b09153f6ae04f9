/**
 * The `seq` of recent items by their id: a stream finds a message by its sequence, not by its id. An id that is not here is
 * searched in the stream, from the newest item on.
 */
/** Enough for the recent items of the active rooms. */
const maxItems = 20_000;
export class ItemPositions {
    /** The most recently noted item last. */
    #seqs = new Map();
    note(room, { id, seq }) {
        this.#seqs.set(keyOf(room, id), seq);
        if (this.#seqs.size <= maxItems)
            return;
        const [oldest] = this.#seqs.keys();
        if (oldest !== undefined)
            this.#seqs.delete(oldest);
    }
    seqOf(room, id) {
        return this.#seqs.get(keyOf(room, id));
    }
}
const keyOf = (room, id) => `${room} ${id}`;
