/**
 * Headers to be sent, written at once. The client's own take a map of lists, and look at each letter of each name each
 * time; they still judge whatever is not plain ASCII.
 */
import { headers as newHeaders, type MsgHdrs, MsgHdrsImpl } from "nats"

export const make = (id: string | undefined, extra: Readonly<Record<string, string>>): MsgHdrs => {
  const text = encodePlain(id, extra)
  return text === undefined ? encodeValidated(id, extra) : new EncodedHeaders(Buffer.from(text, "latin1"))
}

const idHeader = "Nats-Msg-Id"

/** Undefined where something in it has to be looked at. */
const encodePlain = (id: string | undefined, extra: Readonly<Record<string, string>>): string | undefined => {
  let text = "NATS/1.0\r\n"
  for (const name in extra) {
    const value = extra[name] ?? ""
    // The id is written once, by us.
    if (!isName(name) || name === idHeader || !printable.test(value)) return undefined
    text += `${name}: ${value.trim()}\r\n`
  }
  if (id === undefined) return `${text}\r\n`
  return printable.test(id) ? `${text}${idHeader}: ${id.trim()}\r\n\r\n` : undefined
}

const printable = /^[ -~]*$/
const names = new Set<string>()

const isName = (name: string): boolean => {
  if (names.has(name)) return true
  if (!/^[A-Za-z0-9-]+$/.test(name)) return false
  // Names are those of this program's headers, or came with a message: not without end.
  if (names.size < 1_000) names.add(name)
  return true
}

const encodeValidated = (id: string | undefined, extra: Readonly<Record<string, string>>): MsgHdrs => {
  const headers = newHeaders()
  for (const name in extra) headers.set(name, extra[name] ?? "")
  if (id !== undefined) headers.set(idHeader, id)
  return headers
}

/** The client asks what it sends for nothing but its bytes. */
class EncodedHeaders extends MsgHdrsImpl {
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    super()
    this.bytes = bytes
  }

  override encode(): Uint8Array {
    return this.bytes
  }
}
