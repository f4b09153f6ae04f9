/** A value that changes, and its listeners: the state of a room, in the form that `useSyncExternalStore` of React takes. */
export interface Store<S> {
  /** The same object until the state changes. */
  readonly state: () => S
  /** Calls the listener after each change; returns the function that removes it. */
  readonly subscribe: (listener: () => void) => () => void
}

export class WritableStore<S extends object> implements Store<S> {
  #state: S
  readonly #listeners = new Set<() => void>()

  constructor(initial: S) {
    this.#state = initial
  }

  readonly state = (): S => this.#state

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  update(change: Partial<S>): void {
    this.#state = { ...this.#state, ...change }
    for (const listener of this.#listeners) listener()
  }
}
