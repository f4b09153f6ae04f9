/**
 * Which traces are recorded: all of them up to a number a second, so that telemetry never costs more than a little of a
 * busy process. Above it, a share of them that is drawn by the trace's id: processes that are equally busy keep the same
 * ones, and what one process does for a trace is recorded whole or not at all.
 */
import { Option, Tracer } from "effect"

export type Sampler = (parent: Tracer.AnySpan | undefined) => boolean

/** `limit` traces a second, counted over this process. `now` in milliseconds. */
export const make = (limit: number, now: () => number = () => performance.now()): Sampler => {
  let since = now()
  let seen = 0
  let share = 1
  return (parent) => {
    if (parent?.sampled === false) return false
    const at = now()
    if (at - since >= 1000) {
      share = Math.min(1, (limit * (at - since)) / 1000 / Math.max(1, seen))
      since = at
      seen = 0
    }
    seen++
    if (share < 1) return traceIdFraction(parent) < share
    // A flood that only begins.
    return seen <= limit
  }
}

/** From 0 up to 1; the same for the same trace. The last digits of an id are random in every tracer. */
const traceIdFraction = (parent: Tracer.AnySpan | undefined): number =>
  parent === undefined ? Math.random() : Number.parseInt(parent.traceId.slice(-12), 16) / 2 ** 48

/**
 * A tracer that asks the sampler wherever a trace begins in this process. Spans for messages and calls are made by those
 * who have asked already.
 */
export const withSampling = (tracer: Tracer.Tracer, sampler: Sampler): Tracer.Tracer =>
  Tracer.make({
    ...tracer,
    span: (options) => {
      const parent = Option.getOrUndefined(options.parent)
      if (parent?.sampled === false) return tracer.span(options)
      const begins = parent?._tag !== "Span" && (options.kind === "server" || options.kind === "internal")
      const span = tracer.span(begins ? { ...options, sampled: options.sampled && sampler(parent) } : options)
      return options.kind === "client" && span.sampled ? withoutUrlAttributes(span) : span
    },
  })

/** Addresses of outside services hold device tokens and keys in their path: the server is enough. */
const withoutUrlAttributes = (span: Tracer.Span): Tracer.Span => {
  const attribute = span.attribute.bind(span)
  span.attribute = (key, value) => {
    if (key !== "url.path" && key !== "url.full" && key !== "url.query") attribute(key, value)
  }
  return span
}
