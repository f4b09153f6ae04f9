/** A NATS message as the port sees it. */
import type { Msg, MsgHdrs } from "nats"
import type { Headers, LiveMessage, Stored } from "../EventBus.ts"

const idHeader = "Nats-Msg-Id"

/** Without the server's own; the id travels apart. */
const headersOf = (headers: MsgHdrs | undefined): Headers => {
  const plain: Record<string, string> = {}
  if (headers === undefined) return plain
  for (const name of headers.keys()) if (!name.startsWith("Nats-")) plain[name] = headers.get(name)
  return plain
}

export const live = (message: Msg): LiveMessage => {
  const id = message.headers?.get(idHeader) ?? ""
  return {
    subject: message.subject,
    headers: headersOf(message.headers),
    body: message.data,
    ...(id === "" ? {} : { id }),
  }
}

export const stored = (
  message: { readonly subject: string; readonly headers?: MsgHdrs; readonly data: Uint8Array },
  arrivedAt: number,
): Stored => ({
  subject: message.subject,
  id: message.headers?.get(idHeader) ?? "",
  headers: headersOf(message.headers),
  body: message.data,
  arrivedAt,
})

export interface Position {
  readonly attempt: number
  readonly sequence: number
  readonly arrivedAt: number
}

/**
 * What the address for acknowledgements tells: `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time
 * in ns>.<pending>`, with domain and account put behind `ACK` by servers that know them.
 */
export const position = (reply: string): Position | undefined => {
  const tokens = reply.split(".")
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK" || tokens.length < 9) return undefined
  const from = tokens.length >= 11 ? 6 : 4
  return {
    attempt: Number(tokens[from]),
    sequence: Number(tokens[from + 1]),
    arrivedAt: Math.floor(Number(tokens[from + 3]) / 1_000_000),
  }
}
