/** How many calls may be under way at once; whoever finds none free is told when one is. */
export interface Slots {
  readonly take: () => boolean
  readonly give: () => void
  /** `then` runs once, when a slot is free: it takes it, or does not. */
  readonly wait: (then: () => void) => void
  readonly leave: (then: () => void) => void
}

export const make = (size: number): Slots => {
  let free = size
  const waiting = new Set<() => void>()
  return {
    take: () => {
      if (free === 0) return false
      free--
      return true
    },
    give: () => {
      free++
      for (const then of waiting) {
        waiting.delete(then)
        return then()
      }
    },
    wait: (then) => void waiting.add(then),
    leave: (then) => void waiting.delete(then),
  }
}
