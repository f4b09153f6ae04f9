/** Fixtures of the worker tests: ports in memory, an upload event, and a clock that only the test moves. */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { Cancellation, DeadLetters, emit, Ledger } from "@armoricore/worker";
import { Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
export const ports = Layer.mergeAll(DeadLetters.layer, Cancellation.layer).pipe(Layer.provideMerge(Ledger.layer), Layer.provideMerge(Layer.mergeAll(MemoryBus.layer, MemoryState.layer)));
export const uploadEventId = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
export const uploadedEvent = (more = {}) => ({
    event_type: "media.uploaded",
    event_id: uploadEventId,
    timestamp: "2026-01-31T12:00:00+01:00",
    source: "php-backend",
    request_id: "r-1",
    payload: { media_id: "m", user_id: "u", file_path: "s3://media/a.mp4" },
    ...more,
});
export const bytes = (value) => new TextEncoder().encode(JSON.stringify(value));
export const json = (body) => JSON.parse(new TextDecoder().decode(body));
export const publish = (value, id = crypto.randomUUID()) => Effect.flatMap(EventBus, (bus) => bus.publish({ address: event("media.uploaded"), id, body: bytes(value) }));
export const playableMessage = emit("media.playable", {
    media_id: "m",
    user_id: "u",
    playback_urls: { hls: "h", mp4: {} },
});
/** All events that are published from now on. */
export const recordMessages = Effect.gen(function* () {
    const bus = yield* EventBus;
    const messages = [];
    yield* bus.subscribe("all-events", (message) => {
        if (message.subject !== "armoricore.media.uploaded")
            messages.push(message);
    });
    return messages;
});
/** Lets the fibers run without moving time. */
export const flushFibers = TestClock.adjust(0).pipe(Effect.andThen(Effect.yieldNow), Effect.repeat({ times: 50 }));
export const advanceClock = (duration) => TestClock.adjust(duration).pipe(Effect.andThen(flushFibers));
export const deadLetters = Effect.flatMap(DeadLetters, (dead) => dead.list({ limit: 100 }));
