/**
 * Adds a producer span to each published message and sets its `traceparent` header. Without a trace collector the bus
 * stays unchanged.
 */
import { EventBus, withoutBatches } from "@armoricore/bus/EventBus"
import * as Address from "@armoricore/bus/Address"
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
      ...withoutBatches(bus),
      publish: (message) =>
        Effect.withFiber(({ cache }) => {
          const traceparent = message.headers?.["traceparent"]
          // The common case: an unsampled handler publishes its results.
          if (
            cache.span?.sampled === false &&
            (traceparent === undefined || traceparent.includes(cache.span.traceId))
          ) {
            return bus.publish(message)
          }
          const { current, parent } = resolveParent(cache.span, traceparent)
          // A local parent span has its sampling decision already.
          if (parent?._tag === "Span" ? !parent.sampled : !isRecorded(parent)) return bus.publish(message)
          const destination = destinationName(message.address)
          const options: Tracer.SpanOptions = {
            kind: "producer",
            sampled: true,
            attributes: TraceContext.messagingAttributes(
              { system: bus.system, name: "publish" },
              destination,
              message.id,
            ),
            ...(parent === undefined ? { root: true } : { parent }),
            ...(current === undefined ? {} : { links: [{ span: current, attributes: {} }] }),
          }
          return Effect.useSpan(`publish ${destination}`, options, (span) =>
            bus
              .publish({ ...message, headers: { ...message.headers, traceparent: TraceContext.toTraceparent(span) } })
              .pipe(Effect.tapError(({ _tag }) => Effect.sync(() => span.attribute("error.type", _tag)))),
          )
        }),
    })
  }),
)

/** The parent of a message, and the current span if it is of another trace: a request may publish an event of a third party. */
const resolveParent = (current: Tracer.AnySpan | undefined, traceparent: string | undefined) => {
  const remote = traceparent === undefined ? undefined : TraceContext.fromTraceparent(traceparent)
  return remote === undefined || current?.traceId === remote.traceId
    ? { parent: current, current: undefined }
    : { parent: remote, current }
}

/** The type of a dead letter may come from outside, and destinations name spans, so it is left out. */
const destinationName = (address: StoredAddress): string =>
  address.channel === "dead" ? `${Address.prefixes.dead}${address.service}` : Address.subject(address)
