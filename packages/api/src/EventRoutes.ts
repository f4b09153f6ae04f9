/**
 * `POST /v1/events`: how a backend without a bus client publishes. One envelope or an array of them; 202 once the bus
 * has every one. A single envelope goes to the bus byte for byte as it came.
 *
 * The caller shows a token with the role `publisher`, or signs the body. Where `EVENT_SIGNING_KEYS` are configured the
 * workers ask for a signature on every outside event: for a caller who came with a token, and for the parts of an
 * array, the first key signs on the publisher's behalf.
 */
import { event as eventAddress } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { InvalidEvent } from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import * as Signature from "@armoricore/domain/Signature"
import { increment, published } from "@armoricore/worker/WorkerMetrics"
import { Clock, Effect } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as RequestBody from "./RequestBody.ts"
import { bearerToken, authenticate, requireRole } from "./Authentication.ts"
import { catchProblems } from "./Problem.ts"

export interface EventsOptions {
  /** Outside sources and the types each may publish; Armoricore's own sources are never among them. */
  readonly sources: ReadonlyMap<string, ReadonlySet<string>>
  /** Empty: signatures are not asked for, and do not count as proof. */
  readonly signingKeys: Signature.SigningKeys
}

const encoder = new TextEncoder()

export const layer = (options: EventsOptions) =>
  HttpRouter.add(
    "POST",
    "/v1/events",
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => catchProblems(publish(options, request))),
  )

const publish = Effect.fnUntraced(function* (options: EventsOptions, request: HttpServerRequest.HttpServerRequest) {
  const bus = yield* EventBus
  const signature = request.headers[Signature.signatureHeader.toLowerCase()]
  const isSigned = signature !== undefined && bearerToken(request) === undefined && options.signingKeys.size > 0
  // Who has no right at all is told so before the body is read.
  if (!isSigned) yield* requireRole(yield* authenticate(request), "publisher")
  const body = yield* RequestBody.bytes(request, EventCodec.maxEventBytes)
  const now = yield* Clock.currentTimeMillis
  if (isSigned) yield* Signature.verify(options.signingKeys, signature, body, now)

  const parsed = yield* EventCodec.parseJson(body)
  const isBatch = Array.isArray(parsed)
  const items: ReadonlyArray<unknown> = isBatch ? parsed : [parsed]
  if (items.length === 0) {
    return yield* new InvalidEvent({ reason: "invalid", path: "", message: "the array holds no event" })
  }
  // All are judged before the first is published: a refused request has published nothing.
  const received = yield* Effect.forEach(items, (item, index) =>
    EventCodec.decodeJson(item).pipe(
      Effect.tap(({ event }) => authorizeSource(options, event.source, event.event_type)),
      Effect.mapError((error) =>
        isBatch
          ? new InvalidEvent({
              reason: error.reason,
              path: error.path === "" ? String(index) : `${index}.${error.path}`,
              message: error.message,
            })
          : error,
      ),
    ),
  )
  const receipts = yield* Effect.forEach(
    received,
    Effect.fnUntraced(function* ({ event, raw }) {
      const bytes = isBatch ? encoder.encode(JSON.stringify(raw)) : body
      const signed = isSigned && !isBatch ? signature : signOnBehalf(options.signingKeys, bytes, now)
      const traceparent = event.traceparent ?? request.headers["traceparent"]
      const { duplicate } = yield* bus.publish({
        address: eventAddress(event.event_type),
        id: event.event_id,
        body: bytes,
        headers: {
          ...(traceparent === undefined ? {} : { traceparent }),
          ...(signed === undefined ? {} : { [Signature.signatureHeader]: signed }),
        },
      })
      yield* increment(published, "api", { type: event.event_type })
      return { event_id: event.event_id, duplicate }
    }),
    { concurrency: 16 },
  )
  return HttpServerResponse.jsonUnsafe(isBatch ? receipts : receipts[0], { status: 202 })
})

const authorizeSource = ({ sources }: EventsOptions, source: string, type: string) =>
  sources.get(source)?.has(type) === true
    ? Effect.void
    : Effect.fail(
        new InvalidEvent({
          reason: "unauthorized",
          path: "source",
          message: `the source ${source} may not publish ${type}; EVENT_SOURCES says who may`,
        }),
      )

const signOnBehalf = (keys: Signature.SigningKeys, body: Uint8Array, now: number): string | undefined => {
  const first = [...keys][0]
  return first === undefined ? undefined : Signature.sign(first[0], first[1], Math.floor(now / 1000), body)
}
