/**
 * The bus with a span for every message that is published, whose name the message carries on in `traceparent`. Stands in
 * the place of the bus only where spans are collected.
 */
import { EventBus } from "@armoricore/bus/EventBus"
import type { StoredAddress } from "@armoricore/bus/Address"
import * as TraceContext from "@armoricore/worker/TraceContext"
import { Effect, Layer, Tracer } from "effect"

export const layer: Layer.Layer<EventBus, never, EventBus> = Layer.effect(
  EventBus,
  Effect.gen(function* () {
    const bus = yield* EventBus
    if ((yield* Tracer.Tracer) === Tracer.nativeTracer) return bus
    const isRecorded = yield* TraceContext.Sampler
    return EventBus.of({
      ...bus,
      publish: (message) =>
        Effect.withFiber(({ cache }) => {
          const given = message.headers?.["traceparent"]
          // Mostly: what is not recorded tells its results.
          if (cache.span?.sampled === false && (given === undefined || given.includes(cache.span.traceId))) {
            return bus.publish(message)
          }
          const { current, parent } = resolveParent(cache.span, given)
          // Below a span of this process the question is answered.
          if (parent?._tag === "Span" ? !parent.sampled : !isRecorded(parent)) return bus.publish(message)
          const options: Tracer.SpanOptions = {
            kind: "producer",
            sampled: true,
            attributes: { "messaging.message.id": message.id },
            ...(parent === undefined ? { root: true } : { parent }),
            ...(current === undefined ? {} : { links: [{ span: current, attributes: {} }] }),
          }
          return Effect.useSpan(`publish ${destinationName(message.address)}`, options, (span) =>
            bus.publish({ ...message, headers: { ...message.headers, traceparent: TraceContext.toTraceparent(span) } }),
          )
        }),
    })
  }),
)

/** What a message belongs to, and the span of this process where that is of another trace: a request may hand on a third's. */
const resolveParent = (current: Tracer.AnySpan | undefined, given: string | undefined) => {
  const named = given === undefined ? undefined : TraceContext.fromTraceparent(given)
  return named === undefined || current?.traceId === named.traceId
    ? { parent: current, current: undefined }
    : { parent: named, current }
}

const destinationName = (address: StoredAddress): string => {
  switch (address.channel) {
    case "event":
      return address.type
    case "work":
      return `work.${address.kind}`
    case "dead":
      return "dead letter"
  }
}
