/**
 * The listeners of one process: what an adapter hears is handed to everyone whose pattern matches, synchronously and in
 * order. A listener that throws is reported and does not hurt its neighbours.
 */
import { Context, Effect } from "effect"
import type { LiveMessage } from "./EventBus.ts"
import { matcher } from "./Subjects.ts"

interface Listener {
  readonly matches: (subject: string) => boolean
  readonly onMessage: (message: LiveMessage) => void
  readonly onGap: (() => void) | undefined
}

export interface Listeners {
  /** Adds a listener; the answer removes it. */
  readonly add: (pattern: string, onMessage: Listener["onMessage"], onGap?: () => void) => () => void
  readonly tell: (message: LiveMessage) => void
  readonly gap: () => void
}

export const make = Effect.map(Effect.context<never>(), (context: Context.Context<never>): Listeners => {
  const listeners = new Set<Listener>()
  const report = Effect.runForkWith(context)
  const guarded = (call: () => void) => {
    try {
      call()
    } catch (cause) {
      report(Effect.logError("A listener threw", cause))
    }
  }
  return {
    add: (pattern, onMessage, onGap) => {
      const listener = { matches: matcher(pattern), onMessage, onGap }
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    tell: (message) => {
      for (const listener of listeners) {
        if (listener.matches(message.subject)) guarded(() => listener.onMessage(message))
      }
    },
    gap: () => {
      for (const { onGap } of listeners) if (onGap !== undefined) guarded(onGap)
    },
  }
})
