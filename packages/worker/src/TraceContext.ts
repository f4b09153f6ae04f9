/**
 * W3C trace context of messages: the parent span of a handler, and the header of its results.
 *
 * The codec is our own: effect's `HttpTraceContext.w3c` rejects every version but 00, while the specification asks to
 * read later ones, and `toHeaders` builds a B3 header for each message too.
 */
import type { ReceivedMessage, StoredMessage } from "@armoricore/bus/EventBus"
import { notificationIdOf } from "@armoricore/domain/events/notification"
import type { AnyEvent } from "@armoricore/domain/EventRegistry"
import * as Traceparent from "@armoricore/domain/Traceparent"
import { Context, Effect, Option, Tracer } from "effect"
import * as DeadLetterRecord from "./dead-letters/DeadLetterRecord.ts"

type WithHeaders = Pick<StoredMessage, "headers">

/** The attributes of OpenTelemetry's messaging conventions that tracing backends group spans by. */
export interface MessagingOperation {
  /** `EventBus.system`. */
  readonly system: string
  /** `messaging.operation.name`, the first word of the span's name. */
  readonly name: "publish" | "process" | "deliver"
  /** `messaging.consumer.group.name`: the durable consumer. */
  readonly consumer?: string
}

/** `messaging.*` of a span. `destination` is the subject of the message, or its fixed part. */
export const messagingAttributes = (
  { consumer, name, system }: MessagingOperation,
  destination: string,
  messageId: string | undefined,
): LogAttributes => ({
  "messaging.system": system,
  "messaging.operation.name": name,
  "messaging.operation.type": name === "publish" ? "send" : "process",
  "messaging.destination.name": destination,
  ...(messageId === undefined ? {} : { "messaging.message.id": messageId }),
  ...(consumer === undefined ? {} : { "messaging.consumer.group.name": consumer }),
})

/** Attributes of our own have this prefix in spans, as OpenTelemetry asks; log lines have the bare names. */
export const attributePrefix = "armoricore."

const prefixed = (attributes: LogAttributes): LogAttributes =>
  Object.fromEntries(Object.entries(attributes).map(([name, value]) => [attributePrefix + name, value]))

/** The header wins over the body's field, because a bus client may have started a newer span. */
const parentOf = (message: WithHeaders, bodyTraceparent: string | undefined): Tracer.ExternalSpan | undefined =>
  fromTraceparent(DeadLetterRecord.headerOf(message, "traceparent")) ?? fromTraceparent(bodyTraceparent)

/** Parses a W3C header; `undefined` for a value of another form. */
export const fromTraceparent = (traceparent: string | undefined): Tracer.ExternalSpan | undefined => {
  const fields = Traceparent.parse(traceparent)
  return fields === undefined ? undefined : Tracer.externalSpan(fields)
}

/** The trace id of a W3C header. */
export const traceIdOf = (traceparent: string | undefined): string | undefined =>
  Traceparent.parse(traceparent)?.traceId

/**
 * Decides whether the span of a message is recorded; called only where a tracer collects spans. It should decide the same
 * for all messages of a trace. A reference and not a service, because the default is OpenTelemetry's own (what the parent
 * decided, and a root span is recorded), and it is read from the fiber for each message.
 */
export const Sampler = Context.Reference<(parent: Tracer.AnySpan | undefined) => boolean>(
  "@armoricore/worker/Sampler",
  { defaultValue: () => (parent) => parent?.sampled !== false },
)

/** The ids of a message, under their names in logs. */
export type LogAttributes = Readonly<Record<string, string>>

/**
 * Runs the work on a message in its own consumer span, named by operation and subject: `process armoricore.media.uploaded`.
 * `attributes` is called only if a span or a log line needs it.
 */
export const withConsumerSpan =
  (
    operation: MessagingOperation,
    message: Pick<ReceivedMessage, "headers" | "id" | "subject">,
    bodyTraceparent: string | undefined,
    attributes: () => LogAttributes = noAttributes,
  ) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>> =>
    Effect.withFiber((fiber) => {
      const parent = parentOf(message, bodyTraceparent)
      if (fiber.getRef(Tracer.Tracer) === Tracer.nativeTracer) {
        return Effect.provideService(work, Tracer.ParentSpan, new NonRecordingSpan(parent, attributes))
      }
      if (!fiber.getRef(Sampler)(parent)) {
        return Effect.provideService(work, Tracer.ParentSpan, new NonRecordingSpan(parent, attributes, false))
      }
      const options: Tracer.SpanOptions = {
        kind: "consumer",
        sampled: true,
        attributes: {
          ...messagingAttributes(operation, message.subject, message.id),
          ...prefixed(attributes()),
        },
        ...(parent === undefined ? { root: true } : { parent }),
      }
      // Hot path: `withSpan` would also capture a stack frame per message.
      return Effect.useSpan(`${operation.name} ${message.subject}`, options, (span) =>
        Effect.provideService(work, Tracer.ParentSpan, span),
      )
    })

/** The span of a message while no tracer collects spans; undefined if one does. */
export const unrecordedSpan = (
  context: Context.Context<never>,
  message: WithHeaders,
  bodyTraceparent: string | undefined,
  attributes: () => LogAttributes,
): Tracer.ExternalSpan | undefined =>
  Context.get(context, Tracer.Tracer) === Tracer.nativeTracer
    ? new NonRecordingSpan(parentOf(message, bodyTraceparent), attributes)
    : undefined

/**
 * A span that is not recorded (OpenTelemetry's NonRecordingSpan). It propagates the trace and creates its ids lazily, so a
 * message costs almost nothing while no tracer collects spans.
 */
class NonRecordingSpan implements Tracer.ExternalSpan {
  readonly _tag = "ExternalSpan"
  readonly sampled: boolean
  readonly annotations = Context.empty()
  readonly attributes: () => LogAttributes
  private readonly parent: Tracer.ExternalSpan | undefined
  private trace: string | undefined
  private span: string | undefined

  constructor(
    parent: Tracer.ExternalSpan | undefined,
    attributes: () => LogAttributes,
    sampled = parent?.sampled ?? true,
  ) {
    this.parent = parent
    this.attributes = attributes
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

/** Payload fields that become attributes of log lines and spans. */
const idFields = ["media_id", "notification_id", "transcription_id", "room_id", "stream_id", "message_id", "user_id"]

/** Attributes of a payload. `eventId` is the id of its event, or of the event that caused the work. */
export const payloadAttributes = (
  type: string,
  eventId: string,
  requestId: string | undefined,
  payload: unknown,
): LogAttributes => {
  const attributes: Record<string, string> = { event_type: type, event_id: eventId }
  if (requestId !== undefined) attributes["request_id"] = requestId
  if (typeof payload !== "object" || payload === null) return attributes
  for (const [name, value] of Object.entries(payload)) {
    if (typeof value === "string" && idFields.includes(name)) attributes[name] = value
  }
  return attributes
}

export const eventAttributes = (event: AnyEvent): LogAttributes => ({
  ...payloadAttributes(event.event_type, event.event_id, event.request_id, event.payload),
  ...(event.event_type === "notification.requested" ? { notification_id: notificationIdOf(event) } : {}),
})

/** The attributes of the message that is being handled, found from any span below its consumer span. */
export const attributesOf = (span: Tracer.AnySpan | undefined): LogAttributes => {
  for (let current = span; current !== undefined; current = parentSpan(current)) {
    if (current instanceof NonRecordingSpan) return current.attributes()
    if (current._tag === "Span" && current.kind === "consumer") return ownAttributes(current.attributes)
  }
  return {}
}

const parentSpan = (span: Tracer.AnySpan): Tracer.AnySpan | undefined =>
  span._tag === "Span" ? Option.getOrUndefined(span.parent) : undefined

const ownAttributes = (attributes: ReadonlyMap<string, unknown>): LogAttributes =>
  Object.fromEntries(
    [...attributes].flatMap(([key, value]) =>
      typeof value === "string" && key.startsWith(attributePrefix) ? [[key.slice(attributePrefix.length), value]] : [],
    ),
  )

/** Unique, and no secret: as OpenTelemetry's generator of ids. */
const randomHex = (bytes: number): string => {
  let text = ""
  while (text.length < 2 * bytes) {
    const word = Math.random() * 0x100000000
    // The first byte is not 0: an id of zeros is invalid.
    text += (hexOfByte[(word >>> 24) | 1] ?? "") + (hexOfByte[(word >>> 16) & 255] ?? "")
    text += (hexOfByte[(word >>> 8) & 255] ?? "") + (hexOfByte[word & 255] ?? "")
  }
  return text
}

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** Formats a W3C header. */
export const toTraceparent = ({ sampled, spanId, traceId }: Tracer.AnySpan): string =>
  `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`

/** The W3C header of the current span. */
export const currentTraceparent: Effect.Effect<string | undefined> = Effect.withFiber(({ cache }) =>
  Effect.succeed(cache.span === undefined ? undefined : toTraceparent(cache.span)),
)
