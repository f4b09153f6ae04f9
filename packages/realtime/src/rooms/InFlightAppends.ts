/**
 * What this node is adding to histories, by topic and id, until it is clear what became of it. Two things go wrong without
 * it: an addition whose answer was lost is heard from the history and must not be kept a second time; and what sockets were
 * told while the history was away comes from the history later and must not be told again.
 */
import type { HistoryItem } from "@armoricore/history/History"

interface InFlightAppend {
  /** This node's sockets have it, under a number that this node gave. */
  isDelivered: boolean
  /** The history told it. */
  received: HistoryItem | undefined
}

export class InFlightAppends {
  readonly #appends = new Map<string, InFlightAppend>()

  begin(topic: string, id: string): void {
    const key = keyOf(topic, id)
    if (!this.#appends.has(key)) this.#appends.set(key, { isDelivered: false, received: undefined })
  }

  /** The history answered, or nothing will come of it. */
  settle(topic: string, id: string): void {
    const key = keyOf(topic, id)
    if (this.#appends.get(key)?.isDelivered === false) this.#appends.delete(key)
  }

  markDelivered(topic: string, id: string): void {
    const own = this.#appends.get(keyOf(topic, id))
    if (own !== undefined) own.isDelivered = true
  }

  receivedItem(topic: string, id: string): HistoryItem | undefined {
    return this.#appends.get(keyOf(topic, id))?.received
  }

  /** The history tells an item. False: this node's sockets have it already. */
  receive(topic: string, item: HistoryItem): boolean {
    const key = keyOf(topic, item.id)
    const own = this.#appends.get(key)
    if (own === undefined) return true
    own.received = item
    if (own.isDelivered) this.#appends.delete(key)
    return !own.isDelivered
  }
}

const keyOf = (topic: string, id: string): string => `${topic} ${id}`
