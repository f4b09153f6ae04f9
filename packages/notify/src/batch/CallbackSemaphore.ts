/** How many calls may be under way at once; whoever finds none free is told when one is. */
export interface CallbackSemaphore {
  readonly tryAcquire: () => boolean
  readonly release: () => void
  /** `then` runs once, when a slot is free: it takes it, or does not. */
  readonly onAvailable: (then: () => void) => void
  readonly cancelWait: (then: () => void) => void
}

export const make = (permits: number): CallbackSemaphore => {
  let available = permits
  const waiting = new Set<() => void>()
  return {
    tryAcquire: () => {
      if (available === 0) return false
      available--
      return true
    },
    release: () => {
      available++
      for (const then of waiting) {
        waiting.delete(then)
        return then()
      }
    },
    onAvailable: (then) => void waiting.add(then),
    cancelWait: (then) => void waiting.delete(then),
  }
}
