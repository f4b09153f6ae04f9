/**
 * Bytes to events and back. Decoding names the field at fault, so that a publisher knows what to mend; unknown fields
 * are ignored, and what is passed on is passed on as it came (`Received.json`).
 */
import { Effect, Result, Schema, SchemaIssue } from "effect"
import { Rejected } from "./Errors.ts"
import {
  type AnyEvent,
  catalogue,
  Envelope,
  type EventOf,
  type EventType,
  eventTypes,
  isEventType,
  schemaOf,
} from "./Events.ts"

/** The largest event in bytes; NATS refuses larger messages by default. */
export const maxEventBytes = 1_000_000

/** Nesting deeper than this is refused: no publisher needs it, and it costs stack wherever JSON is walked. */
export const maxDepth = 64

export interface Received {
  readonly event: AnyEvent
  /** The envelope as it came, unknown fields included. */
  readonly json: Readonly<Record<string, unknown>>
}

const rejected = (reason: Rejected["reason"], path: string, message: string) => new Rejected({ reason, path, message })

const pathText = (path: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }>): string =>
  path.map((part) => (typeof part === "object" ? String(part.key) : String(part))).join(".")

const formatter = SchemaIssue.makeFormatterStandardSchemaV1()

/** The deepest path of the first fault, dotted, and its sentence. */
export const describeFault = (error: Schema.SchemaError): { readonly path: string; readonly message: string } => {
  const first = formatter(error.issue).issues[0]
  return first === undefined
    ? { path: "", message: error.message }
    : { path: pathText(first.path ?? []), message: first.message }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false })

const isTooDeep = (value: unknown, left: number): boolean => {
  if (typeof value !== "object" || value === null) return false
  if (left === 0) return true
  for (const child of Object.values(value)) if (isTooDeep(child, left - 1)) return true
  return false
}

/** JSON text is walked without recursion first: `JSON.parse` itself is safe, what comes after it may recurse. */
const textTooDeep = (text: string): boolean => {
  let depth = 0
  let quoted = false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (quoted) {
      if (code === 92) index++
      else if (code === 34) quoted = false
    } else if (code === 34) quoted = true
    else if (code === 91 || code === 123) {
      if (++depth > maxDepth) return true
    } else if (code === 93 || code === 125) depth--
  }
  return false
}

/** UTF-8 JSON to a value. */
export const parseJson = (body: Uint8Array): Effect.Effect<unknown, Rejected> =>
  Effect.suspend(() => {
    if (body.byteLength > maxEventBytes) {
      return Effect.fail(
        rejected("too_large", "", `an event has at most ${maxEventBytes} bytes, this one has ${body.byteLength}`),
      )
    }
    const text = Result.try(() => utf8.decode(body))
    if (Result.isFailure(text)) return Effect.fail(rejected("undecodable", "", "the body is not valid UTF-8"))
    if (textTooDeep(text.success)) {
      return Effect.fail(rejected("undecodable", "", `the JSON is nested deeper than ${maxDepth} levels`))
    }
    const json = Result.try((): unknown => JSON.parse(text.success))
    return Result.isFailure(json)
      ? Effect.fail(rejected("undecodable", "", "the body is not valid JSON"))
      : Effect.succeed(json.success)
  })

const decodeEnvelope = Schema.decodeUnknownResult(Envelope)

type Decoder = (input: unknown) => Result.Result<AnyEvent, Schema.SchemaError>
const decoderOf = <T extends EventType>(type: T): Decoder => {
  const decode = Schema.decodeUnknownResult(schemaOf(type))
  // TypeScript cannot see that the schema made from T decodes to the member T of the union.
  return decode as unknown as Decoder
}
const decoders = new Map<EventType, Decoder>(eventTypes.map((type) => [type, decoderOf(type)]))

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A parsed value to an event. */
export const decodeJson = (json: unknown): Effect.Effect<Received, Rejected> =>
  Effect.suspend(() => {
    if (!isRecord(json)) return Effect.fail(rejected("invalid", "", "an event is a JSON object"))
    const given = json["event_type"]
    const whole = typeof given === "string" && isEventType(given) ? decoders.get(given)?.(json) : undefined
    // Nearly every event is sound: the envelope is looked at apart only to name a fault.
    if (whole !== undefined && Result.isSuccess(whole) && !isTooDeep(json, maxDepth)) {
      return Effect.succeed({ event: whole.success, json })
    }
    if (isTooDeep(json, maxDepth)) {
      return Effect.fail(rejected("undecodable", "", `the JSON is nested deeper than ${maxDepth} levels`))
    }
    const envelope = decodeEnvelope(json)
    if (Result.isFailure(envelope)) {
      const { path, message } = describeFault(envelope.failure)
      return Effect.fail(rejected("invalid", path, message))
    }
    const type = envelope.success.event_type
    const decode = isEventType(type) ? decoders.get(type) : undefined
    if (decode === undefined) {
      return Effect.fail(
        rejected("unknown_type", "event_type", `no event has the type ${type}; there are ${eventTypes.join(", ")}`),
      )
    }
    const event = decode(json)
    if (Result.isFailure(event)) {
      const { path, message } = describeFault(event.failure)
      return Effect.fail(rejected("invalid", path, message))
    }
    return Effect.succeed({ event: event.success, json })
  })

export const decode = (body: Uint8Array): Effect.Effect<Received, Rejected> =>
  Effect.flatMap(parseJson(body), decodeJson)

const encoder = new TextEncoder()

/** The wire form of an event that Armoricore made itself. */
export const encode = <T extends EventType>(event: EventOf<T>): Uint8Array => encoder.encode(JSON.stringify(event))

/** The payload schema of a type, for those who show or document it. */
export const payloadSchema = <T extends EventType>(type: T): (typeof catalogue)[T]["payload"] => catalogue[type].payload
