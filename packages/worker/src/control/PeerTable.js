/** Liveness of the other nodes, in monotonic milliseconds. No I/O. */
export class PeerTable {
    #lastMessageAt = new Map();
    /** Nodes that left or crashed: a late message does not bring them back. */
    #departedAt = new Map();
    #heartbeatInterval;
    #nodeTimeout;
    /** Messages to all nodes come back to their sender, so a node without an echo is cut off. */
    #lastEchoAt;
    #sweptAt;
    constructor(heartbeatInterval, nodeTimeout, now) {
        this.#heartbeatInterval = heartbeatInterval;
        this.#nodeTimeout = nodeTimeout;
        this.#lastEchoAt = now;
        this.#sweptAt = now;
    }
    nodes() {
        return [...this.#lastMessageAt.keys()];
    }
    has(node) {
        return this.#lastMessageAt.has(node);
    }
    hasDeparted(node) {
        return this.#departedAt.has(node);
    }
    recordEcho(now) {
        this.#lastEchoAt = now;
    }
    /** True if the node is new. */
    recordMessage(node, now) {
        const isNew = !this.#lastMessageAt.has(node);
        this.#lastMessageAt.set(node, now);
        return isNew;
    }
    /** True if the node was live. */
    depart(node, now) {
        this.#departedAt.set(node, now);
        return this.#lastMessageAt.delete(node);
    }
    /** Removes the nodes that were silent for longer than the timeout. */
    sweep(now) {
        const stalledFor = now - this.#sweptAt - this.#heartbeatInterval;
        this.#sweptAt = now;
        for (const [node, at] of this.#departedAt)
            if (now - at >= 4 * this.#nodeTimeout)
                this.#departedAt.delete(node);
        const isPartitioned = now - this.#lastEchoAt > 1.5 * this.#heartbeatInterval;
        const silent = [];
        for (const [node, at] of this.#lastMessageAt) {
            // This process was suspended: heartbeats of the meantime are still in its socket buffers.
            if (stalledFor > this.#heartbeatInterval)
                this.#lastMessageAt.set(node, now);
            else if (now - at >= this.#nodeTimeout && this.#lastMessageAt.delete(node))
                silent.push(node);
        }
        return { silent, isPartitioned };
    }
}
