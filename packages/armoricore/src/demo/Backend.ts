/**
 * The part of a PHP backend in the demo: it is told that a file has arrived, and publishes `media.uploaded` with its own
 * token, over HTTP as a backend without a bus client would.
 */
import { Tokens } from "@armoricore/auth/Tokens"
import { Duration, Effect } from "effect"
import { CommandFailed } from "../Failure.ts"

export interface Arrived {
  readonly media_id: string
  readonly user_id: string
  readonly file_path: string
}

/** The source that publishes in the demo; `EVENT_SOURCES` allows it by default. */
const source = "php-backend"

/** Returns the envelope as it was accepted. `url` is where the program is reached from here. */
export const publish = Effect.fn("Backend.publish")(function* (url: string, payload: Arrived) {
  const tokens = yield* Tokens
  const token = yield* tokens.sign({ userId: source, roles: ["publisher"], ttl: Duration.minutes(1) })
  const envelope = {
    event_type: "media.uploaded",
    event_id: crypto.randomUUID(),
    timestamp: new Date().toISOString(),
    source,
    payload,
  }
  const response = yield* Effect.tryPromise({
    try: (signal) =>
      fetch(`${url}/v1/events`, {
        method: "POST",
        signal,
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        body: JSON.stringify(envelope),
      }),
    catch: (cause) => new CommandFailed({ message: `media.uploaded could not be published: ${String(cause)}` }),
  })
  if (response.status !== 202) {
    const text = yield* Effect.promise(() => response.text())
    return yield* new CommandFailed({ message: `media.uploaded was refused with ${response.status}: ${text}` })
  }
  return envelope
})
