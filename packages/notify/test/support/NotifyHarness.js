/** A notify service over in-memory ports and fakes, and helpers to observe it. */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as Collection from "@armoricore/state/Collection";
import { deliveryStates, notificationStates } from "@armoricore/state/NotificationStates";
import { PublicUrl } from "@armoricore/storage/PublicUrl";
import { Testing } from "@armoricore/testing";
import { RetryPolicy } from "@armoricore/worker/RetryPolicy";
import { ScheduledWorkInterval } from "@armoricore/worker/ScheduledWork";
import { Duration, Effect, Layer, Option, Redacted } from "effect";
import { DeliveryPolicy } from "../../src/delivery/DeliveryPolicy.ts";
import * as NotifyService from "../../src/NotifyService.ts";
import { ProviderRegistry } from "../../src/provider/Provider.ts";
import { CircuitOptions } from "../../src/provider/ProviderCircuit.ts";
import { Suppressions } from "../../src/unsubscribe/Suppressions.ts";
import * as Templates from "../../src/request/Templates.ts";
import { UnsubscribeLinks } from "../../src/unsubscribe/UnsubscribeLinks.ts";
/** Short delays: local sockets reply at once, so no test needs a long wait. */
export const fastTimings = Layer.mergeAll(Layer.succeed(RetryPolicy, { maxAttempts: 5, base: Duration.millis(20), cap: Duration.millis(100) }), Layer.succeed(CircuitOptions, {
    failureThreshold: 5,
    initialOpenDuration: Duration.millis(50),
    maxOpenDuration: Duration.millis(200),
    misconfigurationDelay: Duration.millis(200),
}), Layer.succeed(ScheduledWorkInterval, Duration.millis(20)));
/** As {@link fastTimings}, for deferred e-mail. */
export const fastMailRetry = { minMailRetryDelay: Duration.millis(50), maxMailRetryDelay: Duration.millis(200) };
export const policy = (change) => Layer.effect(DeliveryPolicy, Effect.map(DeliveryPolicy, (defaults) => ({ ...defaults, ...change })));
export const common = Layer.mergeAll(Suppressions.layer, UnsubscribeLinks.layer({ key: Redacted.make("a key of this test") }).pipe(Layer.provide(PublicUrl.layerFixed("https://example.com"))));
export const ports = Testing.layer;
/** The notify service without its ports. `routes` registers the providers of the test. */
export const service = (routes, options = {}) => NotifyService.layer.pipe(Layer.provide(routes), Layer.provide(ProviderRegistry.layer(options.order)), Layer.provide(Templates.Templates.layer(options.templates)), Layer.provideMerge(common), Layer.provide(options.rules ?? fastTimings));
/** Collects every event from now on, except requests. */
export const recordEvents = Effect.gen(function* () {
    const bus = yield* EventBus;
    const events = [];
    yield* bus.subscribe("all-events", ({ body }) => {
        const received = JSON.parse(new TextDecoder().decode(body));
        if (received.event_type !== "notification.requested")
            events.push(received);
    });
    return events;
});
export const requestEvent = (payload, more = {}) => ({
    event_type: "notification.requested",
    event_id: crypto.randomUUID(),
    timestamp: "2026-01-31T12:00:00+01:00",
    source: "php-backend",
    request_id: "r-1",
    payload: { user_id: "u", notification_type: "push", title: "Hello", body: "World", ...payload },
    ...more,
});
export const publish = Effect.fnUntraced(function* (request) {
    const bus = yield* EventBus;
    const body = new TextEncoder().encode(JSON.stringify(request));
    yield* bus.publish({ address: event("notification.requested"), id: crypto.randomUUID(), body });
    return request.event_id;
});
export const publishRequest = (payload, more = {}) => publish(requestEvent(payload, more));
/** Waits for a condition in real time. After `seconds` it fails with the last value. */
export const until = (read, good, seconds = 15) => read.pipe(Effect.delay("5 millis"), Effect.repeat({ until: good }), Effect.timeoutOrElse({
    duration: Duration.seconds(seconds),
    orElse: () => Effect.flatMap(read, (value) => Effect.die(new Error(`still ${JSON.stringify(value)}`))),
}));
export const notificationState = (id) => Effect.flatMap(Collection.make(notificationStates), (states) => Effect.map(states.get(id), (found) => Option.getOrUndefined(found)?.value));
export const deliveryState = (id) => Effect.flatMap(Collection.make(deliveryStates), (states) => Effect.map(states.get(id), (found) => Option.getOrUndefined(found)?.value));
/** Waits until the notification is final, and returns it. */
export const awaitFinal = (id, seconds) => until(notificationState(id), (state) => state !== undefined && state.status !== "pending", seconds);
/** Waits for the first event of a type, and returns it. */
export const awaitEvent = (events, type, seconds) => Effect.map(until(Effect.sync(() => events.find(({ event_type }) => event_type === type)), (found) => found !== undefined, seconds), (found) => found ?? { event_type: type, event_id: "", payload: {} });
