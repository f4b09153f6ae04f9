/**
 * `POST /v1/events`. The bus receives a single event byte for byte, so the handler reads the raw body.
 *
 * The caller has a token with the role `publisher`, or signs the body. With `EVENT_SIGNING_KEYS` the workers require a
 * signature on every event from outside: the first key then signs for a caller with a token, and for the items of an
 * array.
 */
import type { Revocations } from "@armoricore/auth/Revocations"
import type { Tokens } from "@armoricore/auth/Tokens"
import type { KeyValue } from "@armoricore/state/KeyValue"
import * as MediaOwner from "@armoricore/state/MediaOwner"
import { forbiddenSource, uploadTokenFault, type UploadTokenPolicy } from "@armoricore/worker/PublishPolicy"
import { event as eventAddress } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { type ConfigurationError, InvalidEvent, type TransientError } from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { type AnyEvent, isEventType } from "@armoricore/domain/EventRegistry"
import * as Traceparent from "@armoricore/domain/Traceparent"
import * as TraceContext from "@armoricore/worker/TraceContext"
import * as Signature from "@armoricore/domain/Signature"
import { increment, published } from "@armoricore/worker/WorkerMetrics"
import { Clock, Effect, Predicate } from "effect"
import type { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts"
import { asProblem } from "./Problem.ts"
import { authenticatedBody } from "./PublisherAuthentication.ts"

export interface EventsOptions {
  /** External sources and the types that each may publish. Armoricore's own sources are never among them. */
  readonly sources: ReadonlyMap<string, ReadonlySet<string>>
  /** Empty: a signature is neither required nor accepted as proof. */
  readonly signingKeys: Signature.SigningKeys
  readonly uploadTokens: UploadTokenPolicy
}

const encoder = new TextEncoder()

export const layer = (options: EventsOptions) =>
  HttpApiBuilder.group(
    ArmoricoreApi,
    "events",
    Effect.fnUntraced(function* (handlers) {
      const context = yield* Effect.context<EventBus | KeyValue | Tokens | Revocations>()
      const owner = yield* MediaOwner.make
      return handlers.handleRaw("publish", ({ request }) =>
        asProblem(Effect.provideContext(publish(options, owner, request), context)),
      )
    }),
  )

const publish = Effect.fn("EventApi.publish")(function* (
  options: EventsOptions,
  owner: MediaOwner.MediaOwner,
  request: HttpServerRequest.HttpServerRequest,
) {
  const bus = yield* EventBus
  const { signingKeys } = options
  const { body, signature } = yield* authenticatedBody(request, {
    signingKeys,
    roles: ["publisher"],
    maxBytes: EventCodec.maxEventBytes,
  })
  const now = yield* Clock.currentTimeMillis

  const json = yield* EventCodec.parseJson(body)
  const isBatch = Array.isArray(json)
  const items: ReadonlyArray<unknown> = isBatch ? json : [json]
  if (items.length === 0) {
    return yield* new InvalidEvent({ reason: "invalid", path: "", message: "the array holds no event" })
  }
  // All items are validated before the first is published, so a rejected request has published nothing.
  const decoded = yield* Effect.forEach(items, (item, index) =>
    authorizeType(options, item).pipe(
      Effect.andThen(EventCodec.decodeJson(item)),
      Effect.tap(({ event }) => authorize(options, owner, event)),
      Effect.mapError((error) => (isBatch && error._tag === "InvalidEvent" ? prependPath(error, index) : error)),
    ),
  )
  const headerTraceparent = request.headers["traceparent"]
  const requestTraceparent =
    Traceparent.parse(headerTraceparent) === undefined ? yield* TraceContext.currentTraceparent : headerTraceparent
  const receipts = yield* Effect.forEach(
    decoded,
    Effect.fnUntraced(function* ({ event, raw }) {
      const bytes = isBatch ? encoder.encode(JSON.stringify(raw)) : body
      const eventSignature = signature !== undefined && !isBatch ? signature : signWithFirstKey(signingKeys, bytes, now)
      const traceparent = event.traceparent ?? requestTraceparent
      const { duplicate } = yield* bus.publish({
        address: eventAddress(event.event_type),
        id: event.event_id,
        body: bytes,
        headers: {
          ...(traceparent === undefined ? {} : { traceparent }),
          ...(eventSignature === undefined ? {} : { [Signature.signatureHeader]: eventSignature }),
        },
      })
      yield* increment(published, "api", { type: event.event_type })
      return { event_id: event.event_id, duplicate }
    }),
    { concurrency: 16 },
  )
  const [first] = receipts
  return isBatch || first === undefined ? receipts : first
})

const prependPath = (error: InvalidEvent, index: number): InvalidEvent =>
  new InvalidEvent({
    reason: error.reason,
    path: error.path === "" ? String(index) : `${index}.${error.path}`,
    message: error.message,
  })

/** A source that may not publish a type gets this answer first: to correct the payload would not help. */
const authorizeType = ({ sources }: EventsOptions, item: unknown): Effect.Effect<void, InvalidEvent> =>
  Predicate.hasProperty(item, "event_type") &&
  Predicate.hasProperty(item, "source") &&
  typeof item.event_type === "string" &&
  typeof item.source === "string" &&
  isEventType(item.event_type) &&
  sources.get(item.source)?.has(item.event_type) !== true
    ? Effect.fail(forbiddenSource(item.source, item.event_type))
    : Effect.void

/** The workers check the same again, since events also reach them from the bus; here the caller gets the reason at once. */
const authorize = (
  { uploadTokens }: EventsOptions,
  owner: MediaOwner.MediaOwner,
  event: AnyEvent,
): Effect.Effect<void, InvalidEvent | TransientError | ConfigurationError> => {
  const fault = uploadTokenFault(uploadTokens, event)
  if (fault !== undefined) return Effect.fail(fault)
  return event.event_type === "media.uploaded" || event.event_type === "transcription.requested"
    ? owner.requireOwner(event.payload)
    : Effect.void
}

const signWithFirstKey = (keys: Signature.SigningKeys, body: Uint8Array, now: number): string | undefined => {
  const first = [...keys][0]
  return first === undefined ? undefined : Signature.sign(first[0], first[1], Math.floor(now / 1000), body)
}
