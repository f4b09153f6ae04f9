/**
 * Decides whose fault a refusal is. A provider that refuses one token among many accepted ones judges the token. One that
 * refuses every token in the same way judges us: a sandbox token at the production server, another project's service
 * account, a blocked IP address. The text is the same, so only the refusals of other recipients tell them apart.
 *
 *     accepted lately, few equal refusals in a row  ──▶ count: the refusal stands
 *     nothing accepted lately                       ──▶ hold: the message is sent again later
 *     many equal refusals in a row                  ──▶ pause: the provider stops, and counted refusals are reversed
 *
 * A held refusal of a lone recipient is counted in the end, so that its message does not wait for ever. It then has no
 * consequence for the recipient.
 */
import type { Message } from "./Provider.ts"

export interface Refusal {
  /** Equal refusals have an equal reason. */
  readonly reason: string
  /** What differs between refusals: the recipient, or the notification where the message is judged. */
  readonly subject: string
  /**
   * The response is about this recipient beyond doubt, for example that it has unregistered. A longer run is needed to
   * doubt it, and it counts before anything was accepted.
   */
  readonly isCertain: boolean
}

export type Ruling = "count" | "count_alone" | "hold" | "pause"

export interface RefusalRun {
  /** Empty without a run. */
  reason: string
  /** When each subject was refused first, epoch milliseconds. */
  readonly subjects: Map<string, number>
  /** Messages whose refusal was counted in this run. */
  readonly counted: Map<string, Message>
  /** The latest refusal, epoch milliseconds. */
  refusedAt: number
  /** Epoch milliseconds; undefined: nothing was accepted since the start or since the last run. */
  acceptedAt: number | undefined
}

/** Equal refusals in a row of so many subjects are not their own fault. */
export const maxUncertain = 10
export const maxCertain = 100
/** From so many on, certain refusals are held until a message is accepted. */
const maxCountedCertain = 10
/** An acceptance proves for this long that the settings are right. */
const evidenceMillis = 600_000
/** The subjects that are remembered. */
const maxSubjects = 1_000

export const make = (): RefusalRun => ({
  reason: "",
  subjects: new Map(),
  counted: new Map(),
  refusedAt: 0,
  acceptedAt: undefined,
})

export const accept = (run: RefusalRun, now: number): void => {
  run.acceptedAt = now
  if (run.subjects.size > 0) clear(run)
}

export const clear = (run: RefusalRun): void => {
  run.reason = ""
  run.subjects.clear()
  run.counted.clear()
}

export const isLong = ({ subjects }: RefusalRun): boolean => subjects.size >= maxUncertain

/** `maxHoldMillis`: how long a lone recipient is held. */
export const judge = (
  run: RefusalRun,
  { isCertain, reason, subject }: Refusal,
  message: Message,
  now: number,
  maxHoldMillis: number,
): Ruling => {
  // A token that is refused once a day is no run.
  if (run.reason !== reason || now - run.refusedAt > Math.max(maxHoldMillis, evidenceMillis)) clear(run)
  run.reason = reason
  run.refusedAt = now
  const refusedAt = run.subjects.get(subject) ?? now
  if (run.subjects.size < maxSubjects) run.subjects.set(subject, refusedAt)
  const { size } = run.subjects
  if (size >= (isCertain ? maxCertain : maxUncertain)) {
    // An acceptance before the run is no evidence for the time after it.
    run.acceptedAt = undefined
    return "pause"
  }
  const isEvident = isCertain
    ? size <= maxCountedCertain
    : run.acceptedAt !== undefined && now - run.acceptedAt <= evidenceMillis
  if (isEvident) {
    run.counted.set(message.deliveryId, message)
    return "count"
  }
  return now - refusedAt >= maxHoldMillis ? "count_alone" : "hold"
}

/** The messages whose refusals are reversed; each is returned once. */
export const drainCounted = ({ counted }: RefusalRun): ReadonlyArray<Message> => {
  const messages = [...counted.values()]
  counted.clear()
  return messages
}
