/**
 * This node's appends whose outcome is not known yet, by topic and id. They suppress duplicates in two cases: the history
 * published an entry although its acknowledgement was lost, so the outage buffer must not store it again; and an entry
 * that this node delivered from the outage buffer must not be delivered again when the history publishes it.
 */
import type { HistoryItem } from "@armoricore/history/History"

interface InFlightAppend {
  /** This node's sockets received it, with a number that this node assigned. */
  isDelivered: boolean
  /** The entry, once the history published it. */
  received: HistoryItem | undefined
}

export class InFlightAppends {
  readonly #appends = new Map<string, InFlightAppend>()

  begin(topic: string, id: string): void {
    const key = keyOf(topic, id)
    if (!this.#appends.has(key)) this.#appends.set(key, { isDelivered: false, received: undefined })
  }

  /** The history acknowledged the append, or it failed. A delivered entry stays until the history publishes it. */
  settle(topic: string, id: string): void {
    const key = keyOf(topic, id)
    if (this.#appends.get(key)?.isDelivered === false) this.#appends.delete(key)
  }

  markDelivered(topic: string, id: string): void {
    const append = this.#appends.get(keyOf(topic, id))
    if (append !== undefined) append.isDelivered = true
  }

  receivedItem(topic: string, id: string): HistoryItem | undefined {
    return this.#appends.get(keyOf(topic, id))?.received
  }

  /** Records that the history published the item. False if this node's sockets already received it. */
  receive(topic: string, item: HistoryItem): boolean {
    const key = keyOf(topic, item.id)
    const append = this.#appends.get(key)
    if (append === undefined) return true
    append.received = item
    if (append.isDelivered) this.#appends.delete(key)
    return !append.isDelivered
  }
}

const keyOf = (topic: string, id: string): string => `${topic} ${id}`
