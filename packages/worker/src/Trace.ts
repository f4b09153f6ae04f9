/** The trace that a message carries, and the one that its results carry on. */
import type { Stored } from "@armoricore/bus/EventBus"
import { Context, Effect, Option, Tracer } from "effect"
import { Headers as HttpHeaders, HttpTraceContext } from "effect/http"
import * as Letter from "./Letter.ts"

/** The header wins over the body's field: a bus client may know the trace better than what was written earlier. */
const parentOf = (message: Stored, inBody: string | undefined): Tracer.ExternalSpan | undefined => {
  const text = Letter.headerOf(message, "traceparent") ?? inBody
  if (text === undefined) return undefined
  return Option.getOrUndefined(HttpTraceContext.w3c(HttpHeaders.fromInput({ traceparent: text })))
}

/** Runs the work on a message in a span of its own. */
export const within =
  (name: string, message: Stored, inBody: string | undefined) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>> =>
    Effect.withFiber((fiber) => {
      const parent = parentOf(message, inBody)
      if (fiber.getRef(Tracer.Tracer) === Tracer.nativeTracer) {
        return Effect.provideService(work, Tracer.ParentSpan, new Unrecorded(parent))
      }
      const options: Tracer.SpanOptions = { kind: "consumer", ...(parent === undefined ? {} : { parent }) }
      // `withSpan` would note a stack frame for each event too.
      return Effect.useSpan(name, options, (span) => Effect.provideService(work, Tracer.ParentSpan, span))
    })

/**
 * Where nobody collects spans the trace still goes on, with names that are made when somebody asks: timing and keeping
 * a span for each event would be for nothing.
 */
class Unrecorded implements Tracer.ExternalSpan {
  readonly _tag = "ExternalSpan"
  readonly sampled: boolean
  readonly annotations = Context.empty()
  private readonly parent: Tracer.ExternalSpan | undefined
  private trace: string | undefined
  private span: string | undefined

  constructor(parent: Tracer.ExternalSpan | undefined) {
    this.parent = parent
    this.sampled = parent?.sampled ?? true
  }

  get traceId(): string {
    return (this.trace ??= this.parent?.traceId ?? randomHex(16))
  }

  get spanId(): string {
    return (this.span ??= randomHex(8))
  }
}

/** Of a UUID, which the platform makes of random bytes that it draws for many at once. */
const randomHex = (bytes: number): string =>
  crypto
    .randomUUID()
    .replaceAll("-", "")
    .slice(0, 2 * bytes)

/** As a W3C header of the span that runs now. */
export const current: Effect.Effect<string | undefined> = Effect.map(Effect.option(Effect.currentParentSpan), (found) =>
  Option.match(found, {
    onNone: () => undefined,
    onSome: ({ sampled, spanId, traceId }) => `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`,
  }),
)
