/**
 * What this node is adding to histories, by topic and id, until it is clear what became of it. Two things go wrong without
 * it: an addition whose answer was lost is heard from the history and must not be kept a second time; and what sockets were
 * told while the history was away comes from the history later and must not be told again.
 */
import type { Item } from "@armoricore/history/History"

interface Own {
  /** This node's sockets have it, under a number that this node gave. */
  isTold: boolean
  /** The history told it. */
  heard: Item | undefined
}

export class OwnPosts {
  readonly #posts = new Map<string, Own>()

  begin(topic: string, id: string): void {
    const key = keyOf(topic, id)
    if (!this.#posts.has(key)) this.#posts.set(key, { isTold: false, heard: undefined })
  }

  /** The history answered, or nothing will come of it. */
  settle(topic: string, id: string): void {
    const key = keyOf(topic, id)
    if (this.#posts.get(key)?.isTold === false) this.#posts.delete(key)
  }

  told(topic: string, id: string): void {
    const own = this.#posts.get(keyOf(topic, id))
    if (own !== undefined) own.isTold = true
  }

  heard(topic: string, id: string): Item | undefined {
    return this.#posts.get(keyOf(topic, id))?.heard
  }

  /** The history tells an item. False: this node's sockets have it already. */
  hear(topic: string, item: Item): boolean {
    const key = keyOf(topic, item.id)
    const own = this.#posts.get(key)
    if (own === undefined) return true
    own.heard = item
    if (own.isTold) this.#posts.delete(key)
    return !own.isTold
  }
}

const keyOf = (topic: string, id: string): string => `${topic} ${id}`
