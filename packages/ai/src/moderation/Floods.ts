/**
 * Detects floods: many messages of one user in one room, and the same text again and again, in one room or over many.
 *
 * A flood has one flag, with the number of its messages. It is raised at the threshold and again at each doubling, so that
 * a flood of 300 messages takes 6 flags of one review, not 291 reviews.
 */
import type { Flood, ModeratedMessage } from "./Verdict.ts"

export interface FloodOptions {
  readonly floodThreshold: number
  readonly repeatThreshold: number
  /** Milliseconds. */
  readonly window: number
}

export type FloodReason = "flood" | "repeated"

export interface Detected {
  readonly reason: FloodReason
  readonly flood: Flood
  /** The flood began with this message, or has doubled. */
  readonly isDue: boolean
}

/** Remembers this many users and texts; least recently active ones are dropped first. */
const maxTracked = 10_000
/** The same text counts within this many windows. */
const repeatWindows = 6
/** Short replies such as `yes` repeat in normal conversations. */
const minRepeatedLength = 4

interface Burst {
  readonly recent: Array<{ readonly id: string; readonly at: number }>
  since: number
  count: number
  /** The count of the next flag; 0 while there is no flood. */
  due: number
}

export const make = ({ floodThreshold, repeatThreshold, window }: FloodOptions) => {
  const byRoom = new Map<string, Burst>()
  const byText = new Map<string, Burst>()

  return {
    /** `text` is the folded text. */
    detect: (message: ModeratedMessage, text: string, now: number): ReadonlyArray<Detected> => {
      const { conversationId, kind, userId } = message
      const flood = count(byRoom, `${kind} ${conversationId} ${userId}`, message.id, now, window, floodThreshold)
      const repeated =
        text.length < minRepeatedLength
          ? undefined
          : count(byText, `${kind} ${userId} ${text}`, message.id, now, window * repeatWindows, repeatThreshold)
      return [
        ...(flood === undefined ? [] : [{ reason: "flood" as const, ...flood }]),
        ...(repeated === undefined ? [] : [{ reason: "repeated" as const, ...repeated }]),
      ]
    },
  }
}

/** Counts a message once, however often it is delivered. */
const count = (
  bursts: Map<string, Burst>,
  key: string,
  id: string,
  now: number,
  window: number,
  threshold: number,
): Omit<Detected, "reason"> | undefined => {
  const burst = bursts.get(key) ?? { recent: [], since: now, count: 0, due: 0 }
  bursts.delete(key)
  bursts.set(key, burst)
  const oldest = bursts.keys().next()
  if (bursts.size > maxTracked && oldest.done !== true) bursts.delete(oldest.value)

  const { recent } = burst
  if (recent.some((one) => one.id === id)) {
    return burst.due === 0 ? undefined : { flood: floodOf(burst), isDue: burst.count === threshold }
  }
  while (recent[0] !== undefined && Math.abs(now - recent[0].at) >= window) recent.shift()
  recent.push({ id, at: now })
  if (recent.length < threshold) {
    burst.due = 0
    return undefined
  }
  if (burst.due === 0) {
    Object.assign(burst, { since: recent[0]?.at ?? now, count: recent.length, due: recent.length * 2 })
    return { flood: floodOf(burst), isDue: true }
  }
  burst.count++
  if (recent.length > threshold * 2) recent.shift()
  const isDue = burst.count >= burst.due
  if (isDue) burst.due *= 2
  return { flood: floodOf(burst), isDue }
}

const floodOf = ({ count: messages, since }: Burst): Flood => ({
  count: messages,
  since: new Date(since).toISOString(),
})
