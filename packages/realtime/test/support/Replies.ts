/** Replies as they appear on the wire. */
import { type Frame } from "./TestServer.ts"

export const error = (joinRef: unknown, ref: string, topic: string, response: object): Frame => [
  joinRef,
  ref,
  topic,
  "phx_reply",
  { status: "error", response },
]
export const ok = (joinRef: unknown, ref: unknown, topic: string, response: object = {}): Frame => [
  joinRef,
  ref,
  topic,
  "phx_reply",
  { status: "ok", response },
]
