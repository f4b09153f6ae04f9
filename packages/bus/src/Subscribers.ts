/**
 * The subscribers of one process. A received message is passed to each subscriber whose pattern matches, synchronously
 * and in order. A subscriber that throws is logged and does not affect the others.
 */
import { Context, Effect } from "effect"
import type { ReceivedMessage } from "./EventBus.ts"
import { matcher } from "./Subjects.ts"

interface Subscriber {
  readonly matches: (subject: string) => boolean
  readonly onMessage: (message: ReceivedMessage) => void
  readonly onGap: (() => void) | undefined
}

export interface Subscribers {
  /** Adds a subscriber; the returned function removes it. */
  readonly add: (pattern: string, onMessage: Subscriber["onMessage"], onGap?: () => void) => () => void
  readonly publish: (message: ReceivedMessage) => void
  readonly notifyGap: () => void
}

export const make = Effect.map(Effect.context<never>(), (context: Context.Context<never>): Subscribers => {
  const subscribers = new Set<Subscriber>()
  const runFork = Effect.runForkWith(context)
  const callSafely = (call: () => void) => {
    try {
      call()
    } catch (cause) {
      runFork(Effect.logError("A subscriber threw", cause))
    }
  }
  return {
    add: (pattern, onMessage, onGap) => {
      const listener = { matches: matcher(pattern), onMessage, onGap }
      subscribers.add(listener)
      return () => void subscribers.delete(listener)
    },
    publish: (message) => {
      for (const listener of subscribers) {
        if (listener.matches(message.subject)) callSafely(() => listener.onMessage(message))
      }
    },
    notifyGap: () => {
      for (const { onGap } of subscribers) if (onGap !== undefined) callSafely(onGap)
    },
  }
})
