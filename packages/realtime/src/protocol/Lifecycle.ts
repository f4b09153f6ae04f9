/**
 * What a message means for a socket, by the lifecycle table of Phoenix Channels. Pure: the socket does what this says.
 *
 * | step | what the socket does |
 * |---|---|
 * | `heartbeat` | reply ok |
 * | `join` | asks the channel; `replace` ends the old membership, whose `phx_close` follows the new join's reply |
 * | `too many` | error reply `too many channels joined` |
 * | `leave` | reply ok, then `phx_close` |
 * | `leave unjoined` | reply ok: leaving what is not joined is no fault |
 * | `deliver` | to the channel |
 * | `stale` | nothing: it was meant for a membership that has been replaced |
 * | `unmatched` | error reply `unmatched topic` |
 */
import type { Message, Ref } from "./Message.ts"

export type LifecycleStep =
  | "heartbeat"
  | "join"
  | "replace"
  | "too many"
  | "leave"
  | "leave unjoined"
  | "deliver"
  | "stale"
  | "unmatched"

/** The topic of the connection itself. */
export const controlTopic = "phoenix"

export const decide = (
  message: Pick<Message, "joinRef" | "topic" | "event">,
  /** The membership of the message's topic, while it is joining too. */
  current: { readonly joinRef: Ref } | undefined,
  joined: number,
  maxTopics: number,
): LifecycleStep => {
  const { joinRef, topic, event } = message
  if (topic === controlTopic) return event === "heartbeat" ? "heartbeat" : "unmatched"
  if (event === "phx_join") {
    if (current !== undefined) return "replace"
    return joined >= maxTopics ? "too many" : "join"
  }
  if (current === undefined) return event === "phx_leave" ? "leave unjoined" : "unmatched"
  if (joinRef !== null && joinRef !== current.joinRef) return "stale"
  return event === "phx_leave" ? "leave" : "deliver"
}
