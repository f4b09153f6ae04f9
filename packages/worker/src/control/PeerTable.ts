/** Liveness of the other nodes, in monotonic milliseconds. No I/O. */
export class PeerTable {
  readonly #lastMessageAt = new Map<string, number>()
  /** Nodes that left or crashed: a late message does not bring them back. */
  readonly #departedAt = new Map<string, number>()
  readonly #heartbeatInterval: number
  readonly #nodeTimeout: number
  /** Messages to all nodes come back to their sender, so a node without an echo is cut off. */
  #lastEchoAt: number
  #sweptAt: number

  constructor(heartbeatInterval: number, nodeTimeout: number, now: number) {
    this.#heartbeatInterval = heartbeatInterval
    this.#nodeTimeout = nodeTimeout
    this.#lastEchoAt = now
    this.#sweptAt = now
  }

  nodes(): ReadonlyArray<string> {
    return [...this.#lastMessageAt.keys()]
  }

  has(node: string): boolean {
    return this.#lastMessageAt.has(node)
  }

  hasDeparted(node: string): boolean {
    return this.#departedAt.has(node)
  }

  recordEcho(now: number): void {
    this.#lastEchoAt = now
  }

  /** True if the node is new. */
  recordMessage(node: string, now: number): boolean {
    const isNew = !this.#lastMessageAt.has(node)
    this.#lastMessageAt.set(node, now)
    return isNew
  }

  /** True if the node was live. */
  depart(node: string, now: number): boolean {
    this.#departedAt.set(node, now)
    return this.#lastMessageAt.delete(node)
  }

  /** Removes the nodes that were silent for longer than the timeout. */
  sweep(now: number): { readonly silent: ReadonlyArray<string>; readonly isPartitioned: boolean } {
    const stalledFor = now - this.#sweptAt - this.#heartbeatInterval
    this.#sweptAt = now
    for (const [node, at] of this.#departedAt) if (now - at >= 4 * this.#nodeTimeout) this.#departedAt.delete(node)
    const isPartitioned = now - this.#lastEchoAt > 1.5 * this.#heartbeatInterval
    const silent: Array<string> = []
    for (const [node, at] of this.#lastMessageAt) {
      // This process was suspended: heartbeats of the meantime are still in its socket buffers.
      if (stalledFor > this.#heartbeatInterval) this.#lastMessageAt.set(node, now)
      else if (now - at >= this.#nodeTimeout && this.#lastMessageAt.delete(node)) silent.push(node)
    }
    return { silent, isPartitioned }
  }
}
