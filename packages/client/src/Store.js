export class WritableStore {
    #state;
    #listeners = new Set();
    constructor(initial) {
        this.#state = initial;
    }
    state = () => this.#state;
    subscribe = (listener) => {
        this.#listeners.add(listener);
        return () => void this.#listeners.delete(listener);
    };
    update(change) {
        this.#state = { ...this.#state, ...change };
        for (const listener of this.#listeners)
            listener();
    }
}
