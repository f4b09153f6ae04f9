/** The messages between the bench, its crowds and its peers, and what clients write. */

export const secret = "a-secret-for-the-bench-that-is-long-enough"

/** `armoricore`: the whole program. `ws`: encodes once, and writes to each socket. `limit`: one write for all frames of a turn. */
export const subjectKinds = ["armoricore", "armoricore on NATS", "ws", "limit"] as const
export type SubjectKind = (typeof subjectKinds)[number]

/** Texts of 4,000 characters: plain, and those that cost a naive filter most. */
const longTexts = {
  plain: "the quick brown fox jumps over the lazy dog ".repeat(91).slice(0, 4000),
  ligatures: "\ufdfa".repeat(4000),
  labels: "a.".repeat(2000),
  slashes: "http://".repeat(571),
  marks: "a\u0301\u0301\u0301".repeat(1000),
} as const
export type TextKind = keyof typeof longTexts
export const textKinds: ReadonlyArray<TextKind> = ["plain", "ligatures", "labels", "slashes", "marks"]

export type CrowdCommand =
  /** Connects all at once, and joins the topic. */
  | { readonly order: "connect"; readonly port: number; readonly tokens: ReadonlyArray<string>; readonly topic: string }
  /** Writes so many messages, `inFlight` at a time, by turns of the first `writers` clients. */
  | {
      readonly order: "write"
      readonly messages: number
      readonly inFlight: number
      readonly writers: number
      /** Default: a short text. */
      readonly text?: TextKind
    }
  /** The first client writes one message every `everyMillis` until the next order; its replies are timed. */
  | { readonly order: "probe"; readonly everyMillis: number }
  | { readonly order: "stop probing" }
  /** Writes one message every `everyMillis`. */
  | { readonly order: "pace"; readonly messages: number; readonly everyMillis: number }
  /** Clients react to these messages by turns, at this rate. */
  | {
      readonly order: "react"
      readonly ids: ReadonlyArray<string>
      readonly perSecond: number
      readonly seconds: number
    }
  /** Reports once every client has received so many broadcasts since the last order. */
  | { readonly order: "receive"; readonly broadcasts: number }

export type CrowdReport =
  | { readonly report: "connected" }
  | { readonly report: "written" }
  /** The frames that all clients received for it: replies and counts. */
  | { readonly report: "reacted"; readonly frames: number }
  /** How long each reply took, in milliseconds. */
  | { readonly report: "probed"; readonly replies: ReadonlyArray<number> }
  /** How late the paced messages arrived, in milliseconds. */
  | { readonly report: "received"; readonly late: ReadonlyArray<number> }

/** The time when the message was written is in its text, where readers find it without decoding. */
export const timeMarker = "sent at "

export const textOf = (sequence: number): string =>
  `message ${sequence}, ${timeMarker}${(performance.timeOrigin + performance.now()).toFixed(3)} of the epoch`

export const push = (topic: string, sequence: number, kind?: TextKind): string => {
  const content = kind === undefined ? textOf(sequence) : `${sequence} ${longTexts[kind]}`.slice(0, 4000)
  return JSON.stringify(["1", `${sequence}`, topic, "new_message", { content }])
}

/** No client reacts with one emoji to one message twice. */
export const reaction = (topic: string, id: string, sequence: number, round: number): string =>
  JSON.stringify(["1", `r${sequence}`, topic, "react", { id, emoji: `:e${round}:` }])
