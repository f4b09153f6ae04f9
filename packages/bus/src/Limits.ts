/** Limits that hold on every adapter, so that what works in a test works on a server. */
import { PermanentError } from "@armoricore/domain/Errors"
import { Duration } from "effect"

/** NATS accepts 1 MiB for headers and body together. */
export const maxMessageBytes = 1_048_576
/** A dead letter wraps the message it stands for. */
export const maxDeadLetterBytes = 4 * maxMessageBytes

export const defaults = {
  /** How long a second message with the same id is recognised. */
  duplicateWindow: Duration.minutes(5),
  eventAge: Duration.days(7),
  maxBytes: 4 * 1024 ** 3,
} as const

export const messageBytes = (body: Uint8Array, headers: Readonly<Record<string, string>> = {}): number => {
  let total = body.byteLength
  for (const name in headers) total += name.length + (headers[name]?.length ?? 0) + 4
  return total
}

export const tooLarge = (subject: string, bytes: number, limit: number): PermanentError =>
  new PermanentError({
    code: "too_large",
    message: `The message for ${subject} has ${bytes} bytes, the limit is ${limit}; put the content into object storage and send its address`,
  })
