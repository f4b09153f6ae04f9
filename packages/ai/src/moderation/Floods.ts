/**
 * Detects floods: many messages of one user in one room, and the same text again and again, in one room or over many.
 *
 * A flood has one flag, with the number of its messages. It is raised at the threshold, again at each doubling, and once more
 * with the final number when the flood has ended: a flood of 300 messages takes 7 flags of one review, not 291 reviews.
 * A message with a repeated text counts for both kinds, but raises the flag of the repeated text only.
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

export type FloodMessage = Pick<ModeratedMessage, "kind" | "id" | "conversationId" | "userId">

/** A flood that ended with more messages than its last flag says. */
export interface FinishedFlood {
  readonly reason: FloodReason
  readonly flood: Flood
  /** The last one. */
  readonly message: FloodMessage
}

/** Remembers this many users and texts; least recently active ones are dropped first. */
const maxTracked = 10_000
/** The same text counts within this many windows. */
const repeatWindows = 6
/** Short replies such as `yes` repeat in normal conversations. */
const minRepeatedLength = 4

interface Burst {
  readonly reason: FloodReason
  readonly window: number
  readonly threshold: number
  readonly recent: Array<{ readonly id: string; readonly at: number }>
  since: number
  count: number
  /** The count of the next flag; 0 while there is no flood. */
  due: number
  /** The count of the last flag; 0 before the first. */
  reported: number
  lastMessage: FloodMessage
  /** When the last message was received. */
  receivedAt: number
}

export const make = ({ floodThreshold, repeatThreshold, window }: FloodOptions) => {
  const byRoom = new Map<string, Burst>()
  const byText = new Map<string, Burst>()
  /** Floods whose end is not reported yet. */
  const running = new Set<Burst>()
  let finished: Array<FinishedFlood> = []

  const finish = (burst: Burst): void => {
    if (!running.delete(burst)) return
    if (burst.reported > 0 && burst.count > burst.reported)
      finished.push({ reason: burst.reason, flood: floodOf(burst), message: burst.lastMessage })
  }

  /** Returns the burst of the message, with the message counted. */
  const track = (bursts: Map<string, Burst>, key: string, created: Burst): Burst => {
    const burst = bursts.get(key) ?? created
    bursts.delete(key)
    bursts.set(key, burst)
    const oldest = bursts.entries().next().value
    if (bursts.size > maxTracked && oldest !== undefined) {
      bursts.delete(oldest[0])
      finish(oldest[1])
    }
    return burst
  }

  /** Counts a message once, however often it is delivered. */
  const count = (burst: Burst, message: FloodMessage, at: number, now: number): Detected | undefined => {
    const { reason, recent, threshold } = burst
    if (recent.some(({ id }) => id === message.id)) {
      return burst.due === 0 ? undefined : { reason, flood: floodOf(burst), isDue: burst.count === threshold }
    }
    while (recent[0] !== undefined && Math.abs(at - recent[0].at) >= burst.window) recent.shift()
    recent.push({ id: message.id, at })
    if (recent.length < threshold) {
      finish(burst)
      burst.due = 0
      return undefined
    }
    if (burst.due === 0) {
      Object.assign(burst, { since: recent[0]?.at ?? at, count: recent.length, due: recent.length, reported: 0 })
      running.add(burst)
    } else burst.count++
    if (recent.length > threshold * 2) recent.shift()
    burst.lastMessage = message
    burst.receivedAt = now
    return { reason, flood: floodOf(burst), isDue: burst.count >= burst.due }
  }

  const onFlagged = (burst: Burst | undefined): void => {
    if (burst === undefined) return
    burst.reported = burst.count
    while (burst.due <= burst.count) burst.due *= 2
  }

  return {
    /** `text` is the folded text, `now` the time of the server; both times in epoch milliseconds. */
    detect: (message: ModeratedMessage, text: string, now: number): ReadonlyArray<Detected> => {
      const { conversationId, id, kind, userId } = message
      // A backlog arrives at once and is no flood, so the time of writing counts.
      const at = message.writtenAtMillis ?? now
      const target = { kind, id, conversationId, userId }
      const burstOf = (bursts: Map<string, Burst>, key: string, reason: FloodReason) =>
        track(bursts, key, {
          ...(reason === "flood"
            ? { reason, window, threshold: floodThreshold }
            : { reason, window: window * repeatWindows, threshold: repeatThreshold }),
          recent: [],
          since: at,
          count: 0,
          due: 0,
          reported: 0,
          lastMessage: target,
          receivedAt: now,
        })
      const burst = burstOf(byRoom, `${kind} ${conversationId} ${userId}`, "flood")
      const flood = count(burst, target, at, now)
      const repeating =
        text.length < minRepeatedLength ? undefined : burstOf(byText, `${kind} ${userId} ${text}`, "repeated")
      const repeated = repeating === undefined ? undefined : count(repeating, target, at, now)
      if (repeated?.isDue === true) onFlagged(repeating)
      else if (repeated === undefined && flood?.isDue === true) onFlagged(burst)
      return [
        ...(repeated === undefined ? [] : [repeated]),
        ...(flood === undefined ? [] : [repeated === undefined ? flood : { ...flood, isDue: false }]),
      ]
    },

    /** Removes and returns the floods that ended. `everything`: those that still run too. */
    takeFinished: (now: number, everything = false): ReadonlyArray<FinishedFlood> => {
      for (const burst of running) if (everything || now - burst.receivedAt >= burst.window) finish(burst)
      const taken = finished
      finished = []
      return taken
    },
  }
}

const floodOf = ({ count: messages, since }: Burst): Flood => ({
  count: messages,
  since: new Date(since).toISOString(),
})
