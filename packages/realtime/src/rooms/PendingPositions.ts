/** Positions of users in rooms that are not written yet. */

const maxPairs = 10_000

/** The pairs that were added last. */
export class RecentPairs {
  /** The most recently added one last. */
  readonly #pairs = new Set<string>()

  add(key: string, inner: string): void {
    const pair = `${key} ${inner}`
    this.#pairs.delete(pair)
    this.#pairs.add(pair)
    const [oldest] = this.#pairs
    if (this.#pairs.size > maxPairs && oldest !== undefined) this.#pairs.delete(oldest)
  }

  has(key: string, inner: string): boolean {
    return this.#pairs.has(`${key} ${inner}`)
  }

  delete(key: string, inner: string): void {
    this.#pairs.delete(`${key} ${inner}`)
  }
}

/** The highest position by two keys, and which pairs of keys were noted lately. */
export class PendingPositions {
  readonly #positions = new Map<string, Map<string, number>>()
  readonly #known = new RecentPairs()

  get size(): number {
    return this.#positions.size
  }

  note(key: string, inner: string, seq: number): void {
    const positions = this.#positions.get(key) ?? new Map<string, number>()
    this.#positions.set(key, positions)
    if (seq >= (positions.get(inner) ?? -1)) positions.set(inner, seq)
    this.#known.add(key, inner)
  }

  knows(key: string, inner: string): boolean {
    return this.#known.has(key, inner)
  }

  /** The pair is not pending and not known any more. */
  forget(key: string, inner: string): void {
    this.#known.delete(key, inner)
    const positions = this.#positions.get(key)
    positions?.delete(inner)
    if (positions?.size === 0) this.#positions.delete(key)
  }

  of(key: string): ReadonlyMap<string, number> {
    return this.#positions.get(key) ?? empty
  }

  take(key: string): ReadonlyMap<string, number> {
    const positions = this.of(key)
    this.#positions.delete(key)
    return positions
  }

  /** A copy. */
  all(): ReadonlyArray<readonly [string, ReadonlyMap<string, number>]> {
    return Array.from(this.#positions, ([key, positions]) => [key, new Map(positions)])
  }

  /** These positions are written; later ones stay. */
  settle(key: string, written: ReadonlyMap<string, number>): void {
    const positions = this.#positions.get(key)
    for (const [inner, seq] of written) if (positions?.get(inner) === seq) positions.delete(inner)
    if (positions?.size === 0) this.#positions.delete(key)
  }
}

const empty: ReadonlyMap<string, number> = new Map()
