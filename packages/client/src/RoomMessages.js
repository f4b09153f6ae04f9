export class RoomMessages {
    #byId = new Map();
    #removed = new Set();
    #list = undefined;
    /** Ascending by `seq`; messages that are not stored yet come last. The same array until a message changes. */
    get list() {
        // `Infinity - Infinity` is no number, and the order of insertion stands.
        this.#list ??= [...this.#byId.values()].sort((a, b) => (a.seq === b.seq ? 0 : a.seq - b.seq));
        return this.#list;
    }
    get(id) {
        return this.#byId.get(id);
    }
    clear() {
        for (const [id, { delivery }] of this.#byId)
            if (delivery === "sent")
                this.#byId.delete(id);
        this.#list = undefined;
    }
    /** A message of the server: new, repeated, or edited. */
    put(message) {
        const id = String(message["id"]);
        if (this.#removed.has(id))
            return;
        const known = this.#byId.get(id);
        // A broadcast has no reactions of its own, so those of a reply stay. The cast is sound: the server writes these fields.
        this.#set({ ...known, ...message, delivery: "sent" });
    }
    /** An own message that the server has not confirmed. */
    putLocal(message) {
        this.#set(message);
    }
    change(id, fields) {
        const known = this.#byId.get(id);
        if (known !== undefined)
            this.#set({ ...known, ...fields });
    }
    /** The message does not come back, also if an older page has it. */
    remove(id) {
        this.#removed.add(id);
        this.drop(id);
    }
    drop(id) {
        if (this.#byId.delete(id))
            this.#list = undefined;
    }
    #set(message) {
        this.#byId.set(message.id, message);
        this.#list = undefined;
    }
}
