/** Further items are dropped; the backfill reads them. */
const maxBuffered = 1000;
export class ReorderBuffer {
    /** The highest released number; `undefined` before `start`. */
    #lastSeq = undefined;
    #buffered = new Map();
    get lastSeq() {
        return this.#lastSeq;
    }
    get hasGap() {
        return this.#buffered.size > 0;
    }
    /** Items up to this number are known. Releases the buffered items behind it. */
    start(last) {
        this.#lastSeq = Math.max(this.#lastSeq ?? 0, last);
        return this.#release();
    }
    /** Returns the items to deliver now. */
    push(appended) {
        const { item, previousSeq } = appended;
        if (this.#lastSeq !== undefined && item.seq <= this.#lastSeq)
            return [];
        if (this.#lastSeq === undefined || previousSeq > this.#lastSeq) {
            if (this.#buffered.size < maxBuffered)
                this.#buffered.set(item.seq, appended);
            return [];
        }
        this.#lastSeq = item.seq;
        return this.#buffered.size === 0 ? [item] : [item, ...this.#release()];
    }
    /** The highest buffered number. A read that starts now returns every remaining item up to it. */
    get highestBuffered() {
        return Math.max(0, ...this.#buffered.keys());
    }
    /** `items`: everything that the history has after `lastSeq`, at least up to `upTo`. Returns the items to deliver. */
    backfill(items, upTo) {
        const missed = [];
        for (const item of items) {
            if (item.seq <= (this.#lastSeq ?? 0))
                continue;
            this.#lastSeq = item.seq;
            missed.push(item);
        }
        return [...missed, ...this.#release(upTo)];
    }
    #release(upTo = 0) {
        const released = [];
        for (const [seq, { item, previousSeq }] of [...this.#buffered].sort(([a], [b]) => a - b)) {
            const last = this.#lastSeq ?? 0;
            if (seq > Math.max(last, upTo) && previousSeq > last)
                break;
            this.#buffered.delete(seq);
            if (seq <= last)
                continue;
            this.#lastSeq = seq;
            released.push(item);
        }
        return released;
    }
}
