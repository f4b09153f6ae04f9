/**
 * The subscriptions of one peer: prefixes of `module/topic`, which are few and searched linearly, and exact topics,
 * which may be very many and are looked up in a map. Both are reference counted, because a peer may subscribe several
 * times.
 */
export class Subscriptions {
    #prefixes = new Map();
    #exact = new Map();
    add(name, isExact) {
        const counts = this.#of(isExact);
        counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    remove(name, isExact) {
        const counts = this.#of(isExact);
        const left = (counts.get(name) ?? 0) - 1;
        if (left > 0)
            counts.set(name, left);
        else
            counts.delete(name);
    }
    matches(address) {
        if (this.#exact.has(address))
            return true;
        for (const prefix of this.#prefixes.keys())
            if (address.startsWith(prefix))
                return true;
        return false;
    }
    #of(isExact) {
        return isExact ? this.#exact : this.#prefixes;
    }
}
