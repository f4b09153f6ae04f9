/**
 * Headers as whoever publishes may have written them. The client judges names and values in its read loop, and throws: the
 * connection then stays open and reads nothing any more. Here such a header is left out, and its message is read.
 */
import { Result } from "effect"
import { MsgHdrsImpl } from "nats"

const originalDecode = MsgHdrsImpl.decode
const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** Without the headers that the client cannot write either. */
const decode = (bytes: Uint8Array): MsgHdrsImpl =>
  Result.getOrElse(
    Result.try(() => originalDecode(bytes)),
    () => originalDecode(encoder.encode(dropInvalidLines(decoder.decode(bytes)))),
  )

const dropInvalidLines = (text: string): string => {
  const [version, ...lines] = text.split("\r\n")
  return [version, ...lines.filter((line) => /^[!-9;-~]+:[^\r\n]*$/.test(line))].join("\r\n")
}

/** Before the first message of any connection. Done once or twice, it is the same. */
export const install = (): void => {
  MsgHdrsImpl.decode = decode
}

const validNames = new Set<string>()

/** Whether it is a header that may be passed on. */
export const isValidHeader = (name: string, value: string): boolean => {
  if (value.includes("\n") || value.includes("\r")) return false
  if (validNames.has(name)) return true
  if (!/^[!-9;-~]+$/.test(name)) return false
  // Mostly those of this program; others come with messages, without end.
  if (validNames.size < 1_000) validNames.add(name)
  return true
}
