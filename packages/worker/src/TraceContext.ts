/** The trace that a message carries, and the one that its results carry on. */
import type { StoredMessage } from "@armoricore/bus/EventBus"
import { notificationIdOf } from "@armoricore/domain/events/notification"
import type { AnyEvent } from "@armoricore/domain/EventRegistry"
import { Context, Effect, Option, Tracer } from "effect"
import * as DeadLetterRecord from "./dead-letters/DeadLetterRecord.ts"

type WithHeaders = Pick<StoredMessage, "headers">

/** The header wins over the body's field: a bus client may know the trace better than what was written earlier. */
const parentOf = (message: WithHeaders, inBody: string | undefined): Tracer.ExternalSpan | undefined => {
  const text = DeadLetterRecord.headerOf(message, "traceparent") ?? inBody
  return text === undefined ? undefined : fromTraceparent(text)
}

const traceparentPattern = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/

/** The span that a W3C header names. */
export const fromTraceparent = (traceparent: string): Tracer.ExternalSpan | undefined => {
  const [, traceId, spanId, flags = "0"] = traceparentPattern.exec(traceparent) ?? []
  if (traceId === undefined || spanId === undefined) return undefined
  return Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 })
}

/** The trace id of a W3C header. */
export const traceIdOf = (traceparent: string | undefined): string | undefined =>
  traceparent === undefined ? undefined : fromTraceparent(traceparent)?.traceId

/**
 * Whether what begins here is recorded, asked once for each message and its publisher's span, where spans are collected
 * at all. Whoever says no to one of a trace should say no to the others.
 */
export const Sampler = Context.Reference<(parent: Tracer.AnySpan | undefined) => boolean>(
  "@armoricore/worker/Sampler",
  { defaultValue: () => (parent) => parent?.sampled !== false },
)

/** What a message is about: its ids, under the names that logs and spans have for them. */
export type LogAttributes = Readonly<Record<string, string>>

/** Runs the work on a message in a span of its own. `about` is asked only where somebody reads it. */
export const withConsumerSpan =
  (name: string, message: WithHeaders, inBody: string | undefined, attributes: () => LogAttributes = noAttributes) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>> =>
    Effect.withFiber((fiber) => {
      const parent = parentOf(message, inBody)
      if (fiber.getRef(Tracer.Tracer) === Tracer.nativeTracer) {
        return Effect.provideService(work, Tracer.ParentSpan, new NonRecordingSpan(parent, attributes))
      }
      if (!fiber.getRef(Sampler)(parent)) {
        return Effect.provideService(work, Tracer.ParentSpan, new NonRecordingSpan(parent, attributes, false))
      }
      const options: Tracer.SpanOptions = {
        kind: "consumer",
        sampled: true,
        attributes: attributes(),
        ...(parent === undefined ? { root: true } : { parent }),
      }
      // `withSpan` would note a stack frame for each event too.
      return Effect.useSpan(name, options, (span) => Effect.provideService(work, Tracer.ParentSpan, span))
    })

/**
 * Where nobody collects spans the trace still goes on, with names that are made when somebody asks: timing and keeping
 * a span for each event would be for nothing.
 */
class NonRecordingSpan implements Tracer.ExternalSpan {
  readonly _tag = "ExternalSpan"
  readonly sampled: boolean
  readonly annotations = Context.empty()
  readonly attributes: () => LogAttributes
  private readonly parent: Tracer.ExternalSpan | undefined
  private trace: string | undefined
  private span: string | undefined

  constructor(parent: Tracer.ExternalSpan | undefined, about: () => LogAttributes, sampled = parent?.sampled ?? true) {
    this.parent = parent
    this.attributes = about
    this.sampled = sampled
  }

  get traceId(): string {
    return (this.trace ??= this.parent?.traceId ?? randomHex(16))
  }

  get spanId(): string {
    return (this.span ??= randomHex(8))
  }
}

const noAttributes = () => ({})

/** Ids in payloads that people look for. */
const idFields = ["media_id", "notification_id", "transcription_id", "room_id", "stream_id", "message_id", "user_id"]

/** What a payload is about; `eventId` is that of the event it came with, or follows from. */
export const payloadAttributes = (
  type: string,
  eventId: string,
  requestId: string | undefined,
  payload: unknown,
): LogAttributes => {
  const about: Record<string, string> = { event_type: type, event_id: eventId }
  if (requestId !== undefined) about["request_id"] = requestId
  if (typeof payload !== "object" || payload === null) return about
  for (const [name, value] of Object.entries(payload)) {
    if (typeof value === "string" && idFields.includes(name)) about[name] = value
  }
  return about
}

export const eventAttributes = (event: AnyEvent): LogAttributes => ({
  ...payloadAttributes(event.event_type, event.event_id, event.request_id, event.payload),
  ...(event.event_type === "notification.requested" ? { notification_id: notificationIdOf(event) } : {}),
})

/** What the message that is worked on is about, seen from any span below it. */
export const attributesOf = (span: Tracer.AnySpan | undefined): LogAttributes => {
  for (let at = span; at !== undefined; at = at._tag === "Span" ? Option.getOrUndefined(at.parent) : undefined) {
    if (at instanceof NonRecordingSpan) return at.attributes()
    if (at._tag === "Span" && at.kind === "consumer") return stringAttributes(at.attributes)
  }
  return {}
}

const stringAttributes = (attributes: ReadonlyMap<string, unknown>): LogAttributes =>
  Object.fromEntries([...attributes].flatMap(([key, value]) => (typeof value === "string" ? [[key, value]] : [])))

/** Of a UUID, which the platform makes of random bytes that it draws for many at once. */
const randomHex = (bytes: number): string =>
  crypto
    .randomUUID()
    .replaceAll("-", "")
    .slice(0, 2 * bytes)

/** As a W3C header. */
export const toTraceparent = ({ sampled, spanId, traceId }: Tracer.AnySpan): string =>
  `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`

/** As a W3C header of the span that runs now. */
export const currentTraceparent: Effect.Effect<string | undefined> = Effect.withFiber(({ cache }) =>
  Effect.succeed(cache.span === undefined ? undefined : toTraceparent(cache.span)),
)
