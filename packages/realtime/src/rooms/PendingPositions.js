/** Positions of users in rooms that are not written yet. */
const maxPairs = 10_000;
/** The pairs that were added last. */
export class RecentPairs {
    /** The most recently added one last. */
    #pairs = new Set();
    add(key, inner) {
        const pair = `${key} ${inner}`;
        this.#pairs.delete(pair);
        this.#pairs.add(pair);
        const [oldest] = this.#pairs;
        if (this.#pairs.size > maxPairs && oldest !== undefined)
            this.#pairs.delete(oldest);
    }
    has(key, inner) {
        return this.#pairs.has(`${key} ${inner}`);
    }
    delete(key, inner) {
        this.#pairs.delete(`${key} ${inner}`);
    }
}
/** The highest position by two keys, and which pairs of keys were noted lately. */
export class PendingPositions {
    #positions = new Map();
    #known = new RecentPairs();
    get size() {
        return this.#positions.size;
    }
    note(key, inner, seq) {
        const positions = this.#positions.get(key) ?? new Map();
        this.#positions.set(key, positions);
        if (seq >= (positions.get(inner) ?? -1))
            positions.set(inner, seq);
        this.#known.add(key, inner);
    }
    knows(key, inner) {
        return this.#known.has(key, inner);
    }
    /** The pair is not pending and not known any more. */
    forget(key, inner) {
        this.#known.delete(key, inner);
        const positions = this.#positions.get(key);
        positions?.delete(inner);
        if (positions?.size === 0)
            this.#positions.delete(key);
    }
    of(key) {
        return this.#positions.get(key) ?? empty;
    }
    take(key) {
        const positions = this.of(key);
        this.#positions.delete(key);
        return positions;
    }
    /** A copy. */
    all() {
        return Array.from(this.#positions, ([key, positions]) => [key, new Map(positions)]);
    }
    /** These positions are written; later ones stay. */
    settle(key, written) {
        const positions = this.#positions.get(key);
        for (const [inner, seq] of written)
            if (positions?.get(inner) === seq)
                positions.delete(inner);
        if (positions?.size === 0)
            this.#positions.delete(key);
    }
}
const empty = new Map();
