export class ClientUsage {
    key;
    sockets = 0;
    /** Sockets on other nodes, as of the last report. */
    remoteSockets = 0;
    // Counts since the last `takeUsage`.
    #messages = 0;
    #joins = 0;
    // The monotonic time in milliseconds at which each allowance is full again.
    #messagesReplenishedAt = 0;
    #joinsReplenishedAt = 0;
    constructor(key) {
        this.key = key;
    }
    /** Consumes `count` messages. Returns 0, or the milliseconds until the allowance has so many. */
    consumeMessages(rate, now, count = 1) {
        const replenishedAt = consume(this.#messagesReplenishedAt, rate, now, count);
        if (replenishedAt < 0)
            return -replenishedAt;
        this.#messagesReplenishedAt = replenishedAt;
        this.#messages += count;
        return 0;
    }
    consumeJoin(rate, now) {
        const replenishedAt = consume(this.#joinsReplenishedAt, rate, now);
        if (replenishedAt < 0)
            return -replenishedAt;
        this.#joinsReplenishedAt = replenishedAt;
        this.#joins++;
        return 0;
    }
    /** Messages and joins since the last call. */
    takeUsage() {
        const usage = { messages: this.#messages, joins: this.#joins };
        this.#messages = 0;
        this.#joins = 0;
        return usage;
    }
    /** Applies the totals over all nodes: when the allowances are full again, and the sockets on other nodes. */
    applyClusterTotals(totals) {
        this.#messagesReplenishedAt = Math.max(this.#messagesReplenishedAt, totals.messagesReplenishedAt);
        this.#joinsReplenishedAt = Math.max(this.#joinsReplenishedAt, totals.joinsReplenishedAt);
        this.remoteSockets = totals.remoteSockets;
    }
    /** True if the counters hold no more than those of a new client. */
    isIdle(now) {
        return this.sockets === 0 && this.#messagesReplenishedAt <= now && this.#joinsReplenishedAt <= now;
    }
}
/**
 * GCRA: the time at which the allowance is full again after `count` were consumed. A negative result means that the
 * allowance does not have so many yet, and is the number of milliseconds until it has. More than a burst counts as a
 * burst.
 */
const consume = (replenishedAt, { perSecond, burst }, now, count = 1) => {
    const interval = 1000 / perSecond;
    const start = Math.max(replenishedAt, now);
    const consumed = Math.min(count, burst);
    const wait = start - now - (burst - consumed) * interval;
    return wait > 0 ? -Math.ceil(wait) : start + consumed * interval;
};
export class UsageLimits {
    #limits;
    #users = new Map();
    #addresses = new Map();
    constructor(limits) {
        this.#limits = limits;
    }
    /** A lease for one more socket, or the limit that is reached. The caller must release every lease. */
    acquire(userId, address) {
        const user = usageOf(this.#users, userId);
        const source = usageOf(this.#addresses, address);
        if (user.sockets + user.remoteSockets >= this.#limits.maxSocketsPerUser)
            return "user";
        if (source.sockets >= this.#limits.maxSocketsPerAddress)
            return "address";
        user.sockets++;
        source.sockets++;
        return { user, address: source };
    }
    release({ user, address }) {
        user.sockets--;
        address.sockets--;
    }
    users() {
        return this.#users.values();
    }
    user(userId) {
        return this.#users.get(userId);
    }
    /** Forgets clients without sockets whose allowances are full. */
    sweep(now) {
        for (const clients of [this.#users, this.#addresses]) {
            for (const client of clients.values())
                if (client.isIdle(now))
                    clients.delete(client.key);
        }
    }
    get size() {
        return this.#users.size + this.#addresses.size;
    }
}
const usageOf = (clients, key) => {
    const known = clients.get(key);
    if (known !== undefined)
        return known;
    const client = new ClientUsage(key);
    clients.set(key, client);
    return client;
};
