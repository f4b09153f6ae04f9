/** Declares the handlers of a service: `on(type, …)` for an event, `onWork(kind, …)` for internal work. */
import * as ConsumerName from "@armoricore/bus/ConsumerName";
import { event, work } from "@armoricore/bus/Address";
import { InvalidEvent, } from "@armoricore/domain/Errors";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { Effect, Result, Schema } from "effect";
import { authorizeWith, publishPolicyOf, rejectionOf, requiresSignature } from "./PublishPolicy.ts";
import * as TraceContext from "./TraceContext.ts";
import * as WorkSchemas from "./WorkSchemas.ts";
/** Handles an event from outside or from another service. */
export const on = (type, options) => ({
    ...options,
    name: ConsumerName.suffix(event(type)),
    from: () => event(type),
    decode: (message, policy) => policy === undefined
        ? Effect.withFiber((fiber) => decodeEvent(type, options, message, publishPolicyOf(fiber)))
        : decodeEvent(type, options, message, policy),
});
const decodeEvent = (type, options, message, policy) => {
    const received = EventCodec.decodeResult(message.body);
    if (Result.isFailure(received))
        return Effect.fail(received.failure);
    const { event: decoded } = received.success;
    // Hot path: most events need no signature check, so no effect is run for them.
    const rejection = rejectionOf(policy, decoded);
    if (rejection !== undefined)
        return Effect.fail(rejection);
    if (!requiresSignature(policy, decoded))
        return toDecodedMessage(type, options, decoded);
    return Effect.flatMap(authorizeWith(policy, decoded, message), () => toDecodedMessage(type, options, decoded));
};
const toDecodedMessage = (type, options, decoded) => {
    if (decoded.event_type !== type) {
        return Effect.fail(new InvalidEvent({
            reason: "invalid",
            path: "event_type",
            message: `an event of type ${decoded.event_type} arrived on the subject of ${type}`,
        }));
    }
    // The check above narrows AnyEvent to the member T; TypeScript does not carry that into the generic.
    const ownEvent = decoded;
    return Effect.succeed({
        type,
        messageKey: ownEvent.event_id,
        cause: { eventId: ownEvent.event_id, requestId: ownEvent.request_id, traceparent: ownEvent.traceparent },
        logAttributes: () => TraceContext.eventAttributes(decoded),
        partition: options.partitionKey?.(ownEvent),
        handle: (job) => options.handle(ownEvent, job),
        onFailure: (failure, at) => options.onFailure(ownEvent, failure, at),
    });
};
/** Handles work that the same service enqueued with `ResultMessage.enqueue`. */
export const onWork = (kind, payload, options) => {
    return {
        ...options,
        name: ConsumerName.suffix(work("", kind)),
        from: (service) => work(service, kind),
        decode: Effect.fnUntraced(function* (message) {
            const { payload: decoded, ...body } = yield* WorkSchemas.decode(message.body, payload);
            return {
                type: `work.${kind}`,
                messageKey: message.id,
                cause: { eventId: body.cause_id, requestId: body.request_id, traceparent: body.traceparent },
                logAttributes: () => TraceContext.payloadAttributes(`work.${kind}`, body.cause_id, body.request_id, decoded),
                partition: options.partitionKey?.(decoded),
                priorAttempts: options.priorAttempts?.(decoded) ?? 0,
                handle: (job) => options.handle(decoded, job),
                onFailure: (failure, at) => options.onFailure(decoded, failure, at),
            };
        }),
    };
};
