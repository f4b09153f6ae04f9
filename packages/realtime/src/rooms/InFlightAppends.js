export class InFlightAppends {
    #appends = new Map();
    begin(topic, id) {
        const key = keyOf(topic, id);
        if (!this.#appends.has(key))
            this.#appends.set(key, { isDelivered: false, received: undefined });
    }
    /** The history acknowledged the append, or it failed. A delivered entry stays until the history publishes it. */
    settle(topic, id) {
        const key = keyOf(topic, id);
        if (this.#appends.get(key)?.isDelivered === false)
            this.#appends.delete(key);
    }
    markDelivered(topic, id) {
        const append = this.#appends.get(keyOf(topic, id));
        if (append !== undefined)
            append.isDelivered = true;
    }
    receivedItem(topic, id) {
        return this.#appends.get(keyOf(topic, id))?.received;
    }
    /** Records that the history published the item. False if this node's sockets already received it. */
    receive(topic, item) {
        const key = keyOf(topic, item.id);
        const append = this.#appends.get(key);
        if (append === undefined)
            return true;
        append.received = item;
        if (append.isDelivered)
            this.#appends.delete(key);
        return !append.isDelivered;
    }
}
const keyOf = (topic, id) => `${topic} ${id}`;
