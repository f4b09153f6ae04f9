/** The trace that a message carries, and the one that its results carry on. */
import type { Stored } from "@armoricore/bus/EventBus"
import { Effect, Option, type Tracer } from "effect"
import { Headers as HttpHeaders, HttpTraceContext } from "effect/http"
import * as Letter from "./Letter.ts"

const rootless: Tracer.SpanOptions = { kind: "consumer" }

/** The header wins over the body's field: a bus client may know the trace better than what was written earlier. */
export const spanOf = (message: Stored, inBody: string | undefined): Tracer.SpanOptions => {
  const text = Letter.headerOf(message, "traceparent") ?? inBody
  if (text === undefined) return rootless
  return Option.match(HttpTraceContext.w3c(HttpHeaders.fromInput({ traceparent: text })), {
    onNone: () => rootless,
    onSome: (parent) => ({ kind: "consumer", parent }),
  })
}

/** As a W3C header of the span that runs now. */
export const current: Effect.Effect<string | undefined> = Effect.map(Effect.option(Effect.currentSpan), (span) =>
  Option.isNone(span) ? undefined : HttpTraceContext.toHeaders(span.value)["traceparent"],
)
