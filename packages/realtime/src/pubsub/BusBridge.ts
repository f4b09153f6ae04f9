/**
 * From the bus to the sockets: results are broadcast on `media:{id}`, progress on its owner's `user:{id}` too (what is
 * kept for users goes through `RealtimeWorker`). Every node hears every result itself, so it is delivered to this node's
 * sockets only. Payloads pass as they came, with the event's `request_id` and `traceparent` where it has them; the trace
 * goes on in the span of the broadcast.
 *
 * A listener is called synchronously and must not block, so messages go through a queue to one fiber, which keeps their
 * order. The queue is bounded: a flood that outruns it loses messages, and says so.
 */
import * as Topic from "../channel/Topic.ts"
import * as Address from "@armoricore/bus/Address"
import { EventBus, type ReceivedMessage } from "@armoricore/bus/EventBus"
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import {
  type AnyEvent,
  eventRegistry,
  type EventTypeOn,
  eventTypesOn,
  isDeliveredOn,
  socketEventName,
} from "@armoricore/domain/EventRegistry"
import * as TraceContext from "@armoricore/worker/TraceContext"
import { Effect, Layer, Queue } from "effect"
import type { ServerEvent } from "../channel/Channel.ts"
import * as JobEvents from "./JobEvents.ts"
import { Topics } from "./Topics.ts"

type BridgedType = EventTypeOn<"media">
const isBridgedType = isDeliveredOn("media")

const maxQueued = 10_000

/** Stands in the queue where messages may be missing. */
const gap = "gap"

export const layer: Layer.Layer<never, TransientError | ConfigurationError, EventBus | Topics> = Layer.effectDiscard(
  Effect.gen(function* () {
    const bus = yield* EventBus
    const topics = yield* Topics
    const queue = yield* Effect.acquireRelease(Queue.dropping<ReceivedMessage | typeof gap>(maxQueued), Queue.shutdown)
    let droppedMessages = 0

    const forward = Effect.fnUntraced(function* (message: ReceivedMessage) {
      const { event, raw } = yield* EventCodec.decode(message.body)
      const type = event.event_type
      // Anybody may write to the bus; a result counts only when its own service says it.
      if (!isBridgedType(type) || event.source !== eventRegistry[type].publisher) return
      // Of the live ones there are many, and nobody looks for one.
      if (!eventRegistry[type].stored) return void deliver(type, event, raw)
      yield* Effect.flatMap(
        Effect.sync(() => deliver(type, event, raw)),
        (frames) => Effect.annotateCurrentSpan({ frames }),
      ).pipe(
        TraceContext.withConsumerSpan(`socket ${socketEventName(type)}`, message, event.traceparent, () =>
          TraceContext.eventAttributes(event),
        ),
      )
    })

    const deliver = (type: BridgedType, event: AnyEvent, json: Readonly<Record<string, unknown>>): number => {
      const before = topics.counts.deliveries
      const name = socketEventName(type)
      const spec: ServerEvent = JobEvents.mediaEvents[name]
      const options = { droppable: spec.droppable === true }
      const payload = JobEvents.framePayload(json["payload"], event)
      const target = event.payload
      if ("media_id" in target) topics.deliver(Topic.media(target.media_id), name, payload, options)
      if (!eventRegistry[type].stored && "user_id" in target)
        topics.deliver(Topic.user(target.user_id), name, payload, options)
      return topics.counts.deliveries - before
    }

    const listen = (type: BridgedType) =>
      bus.subscribe(
        eventRegistry[type].stored ? Address.event(type) : Address.ephemeral(type),
        (message) => {
          if (!Queue.offerUnsafe(queue, message)) droppedMessages++
        },
        () => {
          // A full queue says it too, by what it lost.
          Queue.offerUnsafe(queue, gap)
        },
      )

    const handle = (message: ReceivedMessage | typeof gap) =>
      message === gap
        ? Effect.logWarning("the bus was away or too fast for this node: open sockets may have missed results")
        : Effect.catchTag(forward(message), "InvalidEvent", (fault) =>
            Effect.logWarning(`an event on ${message.subject} cannot be read: ${fault.path} ${fault.message}`),
          )

    const next = Effect.gen(function* () {
      const message = yield* Queue.take(queue)
      if (droppedMessages > 0) {
        yield* Effect.logWarning(
          `${droppedMessages} messages of the bus came faster than they could be passed on, and were lost`,
        )
        droppedMessages = 0
      }
      yield* handle(message)
    })
    yield* Effect.forkScoped(Effect.forever(next))
    yield* Effect.forEach(eventTypesOn("media"), listen, { discard: true })
  }),
)
