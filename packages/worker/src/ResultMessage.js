/** The results of a handler: events for all subscribers, and follow-up work for the workers of its own service. */
import { event, work } from "@armoricore/bus/Address";
import { deriveId, resultEventId } from "@armoricore/domain/DeterministicId";
import { Clock, Effect } from "effect";
export const emit = (type, payload, discriminator = "") => ({
    _tag: "Event",
    type,
    payload,
    discriminator,
});
export const enqueue = (kind, discriminator, payload) => ({
    _tag: "Work",
    kind,
    discriminator,
    payload,
});
const propagatedFields = (cause) => ({
    ...(cause.requestId === undefined ? {} : { request_id: cause.requestId }),
    ...(cause.traceparent === undefined ? {} : { traceparent: cause.traceparent }),
});
/** The message id of follow-up work; known in advance, so that the work can be cancelled before it arrives. */
export const workMessageId = (causeId, service, kind, discriminator) => deriveId("work", causeId, service, kind, discriminator);
/** The message that will be published for a result. The same cause always gives the same id. */
export const toOutboundMessage = (service, cause, message) => Effect.gen(function* () {
    if (message._tag === "Work") {
        const body = { cause_id: cause.eventId, ...propagatedFields(cause), payload: message.payload };
        return {
            address: work(service, message.kind),
            id: workMessageId(cause.eventId, service, message.kind, message.discriminator),
            body: JSON.stringify(body),
        };
    }
    const id = resultEventId(cause.eventId, message.type, message.discriminator);
    const envelope = {
        event_type: message.type,
        event_id: id,
        timestamp: new Date(yield* Clock.currentTimeMillis).toISOString(),
        source: service,
        schema_version: 1,
        ...propagatedFields(cause),
        payload: message.payload,
    };
    return { address: event(message.type), id, body: JSON.stringify(envelope) };
});
