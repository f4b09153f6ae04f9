import * as MediaOwner from "@armoricore/state/MediaOwner";
import { forbiddenSource, uploadTokenFault } from "@armoricore/worker/PublishPolicy";
import { event as eventAddress } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { InvalidEvent } from "@armoricore/domain/Errors";
import * as EventCodec from "@armoricore/domain/EventCodec";
import * as Traceparent from "@armoricore/domain/Traceparent";
import * as TraceContext from "@armoricore/worker/TraceContext";
import * as Signature from "@armoricore/domain/Signature";
import { increment, published } from "@armoricore/worker/WorkerMetrics";
import { Clock, Effect } from "effect";
import { HttpApiBuilder } from "effect/http-api";
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts";
import { asProblem } from "./Problem.ts";
import { authenticatedBody } from "./PublisherAuthentication.ts";
const encoder = new TextEncoder();
export const layer = (options) => HttpApiBuilder.group(ArmoricoreApi, "events", Effect.fnUntraced(function* (handlers) {
    const context = yield* Effect.context();
    const owner = yield* MediaOwner.make;
    return handlers.handleRaw("publish", ({ request }) => asProblem(Effect.provideContext(publish(options, owner, request), context)));
}));
const publish = Effect.fn("EventApi.publish")(function* (options, owner, request) {
    const bus = yield* EventBus;
    const { signingKeys } = options;
    const { body, signature } = yield* authenticatedBody(request, {
        signingKeys,
        roles: ["publisher"],
        maxBytes: EventCodec.maxEventBytes,
    });
    const now = yield* Clock.currentTimeMillis;
    const json = yield* EventCodec.parseJson(body);
    const isBatch = Array.isArray(json);
    const items = isBatch ? json : [json];
    if (items.length === 0) {
        return yield* new InvalidEvent({ reason: "invalid", path: "", message: "the array holds no event" });
    }
    // All items are validated before the first is published, so a rejected request has published nothing.
    const decoded = yield* Effect.forEach(items, (item, index) => EventCodec.decodeJson(item).pipe(Effect.tap(({ event }) => authorize(options, owner, event)), Effect.mapError((error) => (isBatch && error._tag === "InvalidEvent" ? prependPath(error, index) : error))));
    const headerTraceparent = request.headers["traceparent"];
    const requestTraceparent = Traceparent.parse(headerTraceparent) === undefined ? yield* TraceContext.currentTraceparent : headerTraceparent;
    const receipts = yield* Effect.forEach(decoded, Effect.fnUntraced(function* ({ event, raw }) {
        const bytes = isBatch ? encoder.encode(JSON.stringify(raw)) : body;
        const eventSignature = signature !== undefined && !isBatch ? signature : signWithFirstKey(signingKeys, bytes, now);
        const traceparent = event.traceparent ?? requestTraceparent;
        const { duplicate } = yield* bus.publish({
            address: eventAddress(event.event_type),
            id: event.event_id,
            body: bytes,
            headers: {
                ...(traceparent === undefined ? {} : { traceparent }),
                ...(eventSignature === undefined ? {} : { [Signature.signatureHeader]: eventSignature }),
            },
        });
        yield* increment(published, "api", { type: event.event_type });
        return { event_id: event.event_id, duplicate };
    }), { concurrency: 16 });
    const [first] = receipts;
    return isBatch || first === undefined ? receipts : first;
});
const prependPath = (error, index) => new InvalidEvent({
    reason: error.reason,
    path: error.path === "" ? String(index) : `${index}.${error.path}`,
    message: error.message,
});
/** The workers check the same again, since events also reach them from the bus; here the caller gets the reason at once. */
const authorize = ({ sources, uploadTokens }, owner, event) => {
    if (sources.get(event.source)?.has(event.event_type) !== true) {
        return Effect.fail(forbiddenSource(event.source, event.event_type));
    }
    const fault = uploadTokenFault(uploadTokens, event);
    if (fault !== undefined)
        return Effect.fail(fault);
    return event.event_type === "media.uploaded" || event.event_type === "transcription.requested"
        ? owner.requireOwner(event.payload)
        : Effect.void;
};
const signWithFirstKey = (keys, body, now) => {
    const first = [...keys][0];
    return first === undefined ? undefined : Signature.sign(first[0], first[1], Math.floor(now / 1000), body);
};
