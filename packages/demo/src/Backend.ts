/**
 * The part of a PHP backend in the demo: it is told that a file has arrived, and publishes `media.uploaded` with its own
 * token, over HTTP as a backend without a bus client would; and `transcription.requested`, where somebody can listen.
 */
import { Tokens } from "@armoricore/auth/Tokens"
import type { EventType } from "@armoricore/domain/EventRegistry"
import { Duration, Effect } from "effect"
import { selectedEngine } from "@armoricore/armoricore/wiring/Ai"
import { CommandFailed } from "@armoricore/armoricore/app/CommandErrors"

export interface UploadedMedia {
  readonly media_id: string
  readonly user_id: string
  readonly file_path: string
}

/** The source that publishes in the demo; `EVENT_SOURCES` allows it by default. */
const source = "php-backend"

/** Returns the envelope of `media.uploaded` as it was accepted. `url` is where the program is reached from here. */
export const publish = Effect.fn("Backend.publish")(function* (url: string, payload: UploadedMedia) {
  const envelope = yield* send(url, "media.uploaded", payload)
  if ((yield* selectedEngine) !== "off") {
    const { file_path, media_id, user_id } = payload
    yield* send(url, "transcription.requested", { media_id, user_id, source_file_path: file_path })
  }
  return envelope
})

/** A notification to a visitor of the demo, who has no device: it ends in the local inbox unless a provider is set. */
export const notify = (url: string, userId: string, type: "push" | "email") =>
  send(url, "notification.requested", {
    user_id: userId,
    notification_type: type,
    title: type === "push" ? "Your video is seaworthy" : "Your weekly tide table",
    body:
      type === "push"
        ? "This push came over the bus, through the notify service, to this page."
        : `Dear ${userId},\n\nthis e-mail was made as text and as HTML: <b>nothing in it</b> is taken for markup.\n\nFair winds`,
    recipients: [type === "push" ? { fcm_token: `demo-page-of-${userId}` } : { email: `${userId}@demo.invalid` }],
    ...(type === "push" ? {} : { category: "tide-tables" }),
  })

const send = Effect.fnUntraced(function* <P>(url: string, type: EventType, payload: P) {
  const tokens = yield* Tokens
  const token = yield* tokens.sign({ userId: source, roles: ["publisher"], ttl: Duration.minutes(1) })
  const envelope = {
    event_type: type,
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
    catch: (cause) => new CommandFailed({ message: `${type} could not be published: ${String(cause)}` }),
  })
  if (response.status !== 202) {
    const text = yield* Effect.promise(() => response.text())
    return yield* new CommandFailed({ message: `${type} was refused with ${response.status}: ${text}` })
  }
  return envelope
})
