/** Limits the number of concurrent calls without a fiber per waiter: a waiter registers a callback. */
export interface CallbackSemaphore {
  readonly tryAcquire: () => boolean
  readonly release: () => void
  /** Runs `then` once, when a permit is free. `then` acquires the permit itself, or leaves it. */
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
