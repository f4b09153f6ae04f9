/** The size of a message on the bus and its limit, the same on every adapter. */
import { PermanentError } from "./Errors.ts"

/** NATS accepts 1 MiB for headers and body together. The other adapters use the same limit, so that tests find large messages. */
export const maxMessageBytes = 1_048_576

/** Bytes of the body and of the headers as NATS encodes them (`name: value\r\n`). */
export const messageBytes = (body: Uint8Array, headers: Readonly<Record<string, string>> = {}): number => {
  let total = body.byteLength
  for (const name in headers) total += name.length + (headers[name]?.length ?? 0) + 4
  return total
}

export const tooLarge = (subject: string, bytes: number, limit: number): PermanentError =>
  new PermanentError({
    code: "too_large",
    message: `The message for ${subject} has ${bytes} bytes, the limit is ${limit}. Store the content in object storage and publish its URL`,
  })
