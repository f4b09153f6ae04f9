/** The messages between the bench and its servers, and the frames that they broadcast. */

export const serverKinds = ["armoricore", "ws", "socket.io"] as const
export type ServerKind = (typeof serverKinds)[number]

export const secret = "a-secret-for-the-bench-that-is-long-enough"

/** The topic of the broadcast measurements. */
export const topic = "chat:room:bench"
export const event = "new_message"

export type ServerCommand =
  /** Broadcasts so many, as fast as `window` messages that are not acknowledged allow. */
  | { readonly order: "saturate"; readonly messages: number; readonly window: number; readonly batch: number }
  /** Broadcasts so many, one every `everyMillis`. */
  | { readonly order: "pace"; readonly messages: number; readonly everyMillis: number }
  /** Broadcasts at this rate per second, even if receivers fall behind. */
  | { readonly order: "flood"; readonly perSecond: number; readonly seconds: number }
  /** So many messages of a saturation have arrived. */
  | { readonly order: "arrived"; readonly messages: number }
  | { readonly order: "measure" }

export type Report =
  | { readonly report: "listening"; readonly port: number }
  | { readonly report: "done"; readonly cpuMicros: number }
  | { readonly report: "measured"; readonly rss: number; readonly heapUsed: number; readonly cpuMicros: number }

/** The same for every server: an id, a time that the reader finds, and text, in a frame of 178 bytes or so. */
export const payload = (seq: number) => ({
  id: "0190a0b0-0000-7000-8000-000000000000",
  seq: 1_000_000 + seq,
  t: (performance.timeOrigin + performance.now()).toFixed(3),
  content: "x".repeat(16),
  user_id: "user",
})
