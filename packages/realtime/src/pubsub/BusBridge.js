/**
 * Delivers job events of the bus to sockets: results on `media:{id}`, live-only progress on its owner's `user:{id}` too
 * (`RealtimeWorker` handles the results that are stored for a user). Every node receives every event, so each delivers to
 * its own sockets only. The payload is unchanged, plus the event's `request_id` and `traceparent`; the delivery is a span of
 * the event's trace.
 *
 * A bus listener is synchronous and must not block, so messages go through a queue to one fiber, in order. The queue is
 * bounded: if events arrive faster than they are delivered, it drops messages and logs how many.
 */
import * as Topic from "../channel/Topic.ts";
import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { eventRegistry, eventTypesOn, isDeliveredOn, socketEventName, } from "@armoricore/domain/EventRegistry";
import * as TraceContext from "@armoricore/worker/TraceContext";
import { Effect, Layer, Queue } from "effect";
import * as JobEvents from "./JobEvents.ts";
import { Topics } from "./Topics.ts";
const isBridgedType = isDeliveredOn("media");
const maxQueued = 10_000;
/** Queued in the place of messages that may be missing. */
const gap = "gap";
export const layer = Layer.effectDiscard(Effect.gen(function* () {
    const bus = yield* EventBus;
    const topics = yield* Topics;
    const queue = yield* Effect.acquireRelease(Queue.dropping(maxQueued), Queue.shutdown);
    let droppedMessages = 0;
    const forward = Effect.fnUntraced(function* (message) {
        const { event, raw } = yield* EventCodec.decode(message.body);
        const type = event.event_type;
        // Any service may publish to the bus: only the event type's own publisher is trusted.
        if (!isBridgedType(type) || event.source !== eventRegistry[type].publisher)
            return;
        // Live-only events are frequent: no span for each.
        if (!eventRegistry[type].stored)
            return void deliver(type, event, raw);
        yield* Effect.flatMap(Effect.sync(() => deliver(type, event, raw)), (frames) => Effect.annotateCurrentSpan({ [`${TraceContext.attributePrefix}frames`]: frames })).pipe(TraceContext.withConsumerSpan({ system: bus.system, name: "deliver" }, message, event.traceparent, () => TraceContext.eventAttributes(event)));
    });
    const deliver = (type, event, json) => {
        const before = topics.counts.deliveries;
        const name = socketEventName(type);
        const spec = JobEvents.mediaEvents[name];
        const options = { droppable: spec.droppable === true };
        const payload = JobEvents.framePayload(json["payload"], event);
        const target = event.payload;
        if ("media_id" in target)
            topics.deliver(Topic.media(target.media_id), name, payload, options);
        if (!eventRegistry[type].stored && "user_id" in target)
            topics.deliver(Topic.user(target.user_id), name, payload, options);
        return topics.counts.deliveries - before;
    };
    const listen = (type) => bus.subscribe(eventRegistry[type].stored ? Address.event(type) : Address.ephemeral(type), (message) => {
        if (!Queue.offerUnsafe(queue, message))
            droppedMessages++;
    }, () => {
        // If the queue is full, `droppedMessages` reports the loss.
        Queue.offerUnsafe(queue, gap);
    });
    const handle = (message) => message === gap
        ? Effect.logWarning("the bus was disconnected or this node read too slowly: sockets may have missed job events")
        : Effect.catchTag(forward(message), "InvalidEvent", (fault) => Effect.logWarning(`ignored an invalid event on ${message.subject}: ${fault.path} ${fault.message}`));
    const next = Effect.gen(function* () {
        const message = yield* Queue.take(queue);
        if (droppedMessages > 0) {
            yield* Effect.logWarning("dropped job events: the bus published them faster than this node delivers").pipe(Effect.annotateLogs({ dropped: droppedMessages }));
            droppedMessages = 0;
        }
        yield* handle(message);
    });
    yield* Effect.forkScoped(Effect.forever(next));
    yield* Effect.forEach(eventTypesOn("media"), listen, { discard: true });
}));
