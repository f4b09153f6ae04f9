/**
 * Decides what a socket does with a message, by the lifecycle of Phoenix Channels. Pure: the socket executes the step.
 * The topic `phoenix` and the events `heartbeat`, `phx_join` and `phx_leave` are Phoenix's.
 *
 * | step | what the socket does |
 * |---|---|
 * | `heartbeat` | replies ok |
 * | `join` | starts the join of the channel |
 * | `replace` | starts the join, and ends the current membership: its `phx_close` follows the reply of the new join |
 * | `too many` | replies with the error `too many channels joined` |
 * | `leave` | replies ok, then sends `phx_close` |
 * | `leave unjoined` | replies ok: as in Phoenix, leaving a topic that is not joined is not an error |
 * | `deliver` | passes the message to the membership |
 * | `stale` | ignores the message: it was meant for a membership that has been replaced |
 * | `unmatched` | replies with the error `unmatched topic` |
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

/** The topic for messages about the connection. */
export const controlTopic = "phoenix"

export const decide = (
  message: Pick<Message, "joinRef" | "topic" | "event">,
  /** The membership of the message's topic, joined or with a pending join. */
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
  // A membership that was joined without a ref accepts every ref.
  if (joinRef !== null && current.joinRef !== null && joinRef !== current.joinRef) return "stale"
  return event === "phx_leave" ? "leave" : "deliver"
}
