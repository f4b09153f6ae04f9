/** The bodies of work messages: their envelope, and the payload schemas of each service's kinds of work. */
import { InvalidEvent } from "@armoricore/domain/Errors";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { Context, Effect, Schema } from "effect";
export const keyOf = (service, kind) => `${service}.${kind}`;
/**
 * The payload schemas of this installation, by {@link keyOf}. An edited dead letter of work is checked against them; for a
 * kind without a schema, only the envelope is.
 */
export const WorkSchemas = Context.Reference("@armoricore/worker/WorkSchemas", {
    defaultValue: () => new Map(),
});
/** The value of {@link WorkSchemas} for these services. */
export const of = (services) => new Map(Object.entries(services).flatMap(([service, kinds]) => Object.entries(kinds).map(([kind, schema]) => [keyOf(service, kind), schema])));
const WorkEnvelope = Schema.Struct({
    cause_id: Schema.String,
    request_id: Schema.optionalKey(Schema.String),
    traceparent: Schema.optionalKey(Schema.String),
    payload: Schema.Unknown,
});
const decodeEnvelope = Schema.decodeUnknownEffect(WorkEnvelope);
const invalid = (options) => (error) => new InvalidEvent({ reason: "invalid", ...EventCodec.describeSchemaError(error, options) });
/** Decodes a work message. The error names the path of the field within the message. */
export const decode = Effect.fnUntraced(function* (body, payload) {
    const json = yield* EventCodec.parseJson(body);
    const envelope = yield* Effect.mapError(decodeEnvelope(json), invalid({ input: json, whole: "the work message" }));
    if (payload === undefined)
        return envelope;
    const decoded = yield* Effect.mapError(Schema.decodeUnknownEffect(payload)(envelope.payload), invalid({ input: envelope.payload, parent: "payload" }));
    return { ...envelope, payload: decoded };
});
