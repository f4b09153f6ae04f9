/**
 * From the bus to the sockets: results are broadcast on `media:{id}`, progress on its owner's `user:{id}` too (what is
 * kept for users goes through `RealtimeWorker`). Every node hears every result itself, so it is delivered to this node's
 * sockets only. Payloads pass as they came, with the event's `request_id` and `traceparent` where it has them; the trace
 * goes on in the span of the broadcast.
 *
 * A listener is called synchronously and must not block, so messages go through a queue to one fiber, which keeps their
 * order. The queue is bounded: a flood that outruns it loses messages, and says so.
 */
import * as Address from "@armoricore/bus/Address"
import { EventBus, type LiveMessage } from "@armoricore/bus/EventBus"
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { type AnyEvent, catalogue, type EventType } from "@armoricore/domain/Events"
import * as Trace from "@armoricore/worker/Trace"
import { Effect, Layer, Queue } from "effect"
import type { ServerEvent } from "./Channel.ts"
import * as Results from "./Results.ts"
import { Topics } from "./Topics.ts"

/** The bus's types under the names that sockets know. */
const names = {
  "media.progress": "media_progress",
  "media.playable": "media_playable",
  "media.ready": "media_ready",
  "media.failed": "media_failed",
  "transcription.complete": "transcription_complete",
  "transcription.failed": "transcription_failed",
} as const satisfies Partial<Record<EventType, keyof typeof Results.ofMedia>>

type Heard = keyof typeof names
const isHeard = (type: string): type is Heard => Object.hasOwn(names, type)
const heard = Object.keys(names).filter(isHeard)

const queueSize = 10_000

/** Stands in the queue where messages may be missing. */
const gap = "gap"

export const layer: Layer.Layer<never, TransientError | ConfigurationError, EventBus | Topics> = Layer.effectDiscard(
  Effect.gen(function* () {
    const bus = yield* EventBus
    const topics = yield* Topics
    const queue = yield* Effect.acquireRelease(Queue.dropping<LiveMessage | typeof gap>(queueSize), Queue.shutdown)
    let lost = 0

    const pass = Effect.fnUntraced(function* (message: LiveMessage) {
      const { event, json } = yield* EventCodec.decode(message.body)
      const type = event.event_type
      // Anybody may write to the bus; a result counts only when its own service says it.
      if (!isHeard(type) || event.source !== catalogue[type].publisher) return
      // Of the live ones there are many, and nobody looks for one.
      if (!catalogue[type].stored) return void tell(type, event, json)
      yield* Effect.flatMap(
        Effect.sync(() => tell(type, event, json)),
        (frames) => Effect.annotateCurrentSpan({ frames }),
      ).pipe(Trace.within(`socket ${names[type]}`, message, event.traceparent, () => Trace.aboutEvent(event)))
    })

    const tell = (type: Heard, event: AnyEvent, json: Readonly<Record<string, unknown>>): number => {
      const before = topics.counts.deliveries
      const name = names[type]
      const spec: ServerEvent = Results.ofMedia[name]
      const options = { droppable: spec.droppable === true }
      const payload = Results.told(json["payload"], event)
      const target = event.payload
      if ("media_id" in target) topics.deliver(`media:${target.media_id}`, name, payload, options)
      if (type === "media.progress" && "user_id" in target)
        topics.deliver(`user:${target.user_id}`, name, payload, options)
      return topics.counts.deliveries - before
    }

    const listen = (type: Heard) =>
      bus.listen(
        catalogue[type].stored ? Address.event(type) : Address.live(type),
        (message) => {
          if (!Queue.offerUnsafe(queue, message)) lost++
        },
        () => {
          // A full queue says it too, by what it lost.
          Queue.offerUnsafe(queue, gap)
        },
      )

    const handle = (message: LiveMessage | typeof gap) =>
      message === gap
        ? Effect.logWarning("the bus was away or too fast for this node: open sockets may have missed results")
        : Effect.catchTag(pass(message), "Rejected", (fault) =>
            Effect.logWarning(`an event on ${message.subject} cannot be read: ${fault.path} ${fault.message}`),
          )

    const next = Effect.gen(function* () {
      const message = yield* Queue.take(queue)
      if (lost > 0) {
        yield* Effect.logWarning(`${lost} messages of the bus came faster than they could be passed on, and were lost`)
        lost = 0
      }
      yield* handle(message)
    })
    yield* Effect.forkScoped(Effect.forever(next))
    yield* Effect.forEach(heard, listen, { discard: true })
  }),
)
