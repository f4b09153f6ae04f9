/** Clients, events and helpers that the tests of the operator API share. */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { Effect } from "effect";
import { api } from "../OperatorHarness.ts";
export const uploadedEvent = (mediaId, extra = {}) => ({
    event_type: "media.uploaded",
    event_id: crypto.randomUUID(),
    timestamp: new Date().toISOString(),
    source: "php-backend",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    payload: { media_id: mediaId, user_id: "ada", file_path: "s3://media/a.mp4" },
    ...extra,
});
export const bytes = (value) => new TextEncoder().encode(JSON.stringify(value));
export const publish = Effect.fnUntraced(function* (value) {
    const bus = yield* EventBus;
    const headers = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
    yield* bus.publish({ address: event(value.event_type), id: value.event_id, body: bytes(value), headers });
});
