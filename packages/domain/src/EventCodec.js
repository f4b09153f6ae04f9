/**
 * Decodes and encodes events. A decode error names the invalid field. Unknown fields are ignored, and `raw` retains them
 * for code that forwards an event.
 */
import { Effect, Result, Schema } from "effect";
import * as SchemaFastPath from "./SchemaFastPath.ts";
import { InvalidEvent } from "./Errors.ts";
import { describeSchemaError } from "./SchemaErrors.ts";
import { eventRegistry, Envelope, eventTypes, isEventType, schemaOf, } from "./EventRegistry.ts";
/** The largest event in bytes; NATS refuses larger messages by default. */
export const maxEventBytes = 1_000_000;
/** Deeper JSON is rejected, because recursive code would need too much stack for it. */
export const maxDepth = 64;
export { describeSchemaError } from "./SchemaErrors.ts";
const invalidEvent = (reason, path, message) => new InvalidEvent({ reason, path, message });
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
const isTooDeep = (value, levelsLeft) => {
    if (typeof value !== "object" || value === null)
        return false;
    if (levelsLeft === 0)
        return true;
    for (const child of Object.values(value))
        if (isTooDeep(child, levelsLeft - 1))
            return true;
    return false;
};
/** A cheap check that most texts pass: fewer brackets than allowed levels. */
const mayBeTooDeep = (text) => {
    let opened = 0;
    for (const bracket of ["{", "["]) {
        for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
            if (++opened > maxDepth)
                return true;
        }
    }
    return false;
};
/** Checks the depth without recursion. `JSON.parse` is safe for deep JSON, but code after it may recurse. */
const isTextTooDeep = (text) => {
    if (!mayBeTooDeep(text))
        return false;
    let depth = 0;
    let quoted = false;
    for (let index = 0; index < text.length; index++) {
        const code = text.charCodeAt(index);
        if (quoted) {
            if (code === 92)
                index++;
            else if (code === 34)
                quoted = false;
        }
        else if (code === 34)
            quoted = true;
        else if (code === 91 || code === 123) {
            if (++depth > maxDepth)
                return true;
        }
        else if (code === 93 || code === 125)
            depth--;
    }
    return false;
};
const failInvalid = (reason, path, message) => Result.fail(invalidEvent(reason, path, message));
const failTooDeep = () => failInvalid("undecodable", "", `the JSON is nested deeper than ${maxDepth} levels`);
const parse = (body) => {
    if (body.byteLength > maxEventBytes) {
        return failInvalid("too_large", "", `an event has at most ${maxEventBytes} bytes, this one has ${body.byteLength}`);
    }
    const text = Result.try(() => utf8.decode(body));
    if (Result.isFailure(text))
        return failInvalid("undecodable", "", "the body is not valid UTF-8");
    if (isTextTooDeep(text.success))
        return failTooDeep();
    const json = Result.try(() => JSON.parse(text.success));
    return Result.isFailure(json)
        ? failInvalid("undecodable", "", "the body is not valid JSON")
        : Result.succeed(json.success);
};
/** UTF-8 JSON to a value. */
export const parseJson = (body) => Effect.suspend(() => Effect.fromResult(parse(body)));
const decodeEnvelope = Schema.decodeUnknownResult(Envelope);
const decoderOf = (type) => {
    const decode = Schema.decodeUnknownResult(schemaOf(type));
    // TypeScript cannot see that the schema made from T decodes to the member T of the union.
    return decode;
};
const decoders = new Map(eventTypes.map((type) => [type, decoderOf(type)]));
const fastDecoders = new Map(eventTypes.map((type) => [type, SchemaFastPath.compile(schemaOf(type))]));
const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
/** Decodes a value whose depth was checked. */
const decodeObject = (raw) => {
    const rawType = raw["event_type"];
    const whole = typeof rawType === "string" && isEventType(rawType) ? decoders.get(rawType)?.(raw) : undefined;
    // Most events are valid, so the envelope is decoded separately only to describe an error.
    if (whole !== undefined && Result.isSuccess(whole))
        return Result.succeed({ event: whole.success, raw });
    const envelope = decodeEnvelope(raw);
    if (Result.isFailure(envelope)) {
        const { path, message } = describeSchemaError(envelope.failure, { input: raw, whole: "the event" });
        return failInvalid("invalid", path, message);
    }
    const type = envelope.success.event_type;
    const decode = isEventType(type) ? decoders.get(type) : undefined;
    if (decode === undefined) {
        return failInvalid("unknown_type", "event_type", `unknown event type ${type}; the known types are ${eventTypes.join(", ")}`);
    }
    const event = decode(raw);
    if (Result.isFailure(event)) {
        const { path, message } = describeSchemaError(event.failure, { input: raw, whole: "the event" });
        return failInvalid("invalid", path, message);
    }
    return Result.succeed({ event: event.success, raw });
};
/** Hot path: decodes JSON that was parsed here, mostly without the Schema decoder. */
const decodeParsed = (raw) => {
    const rawType = raw["event_type"];
    const event = typeof rawType === "string" && isEventType(rawType) ? fastDecoders.get(rawType)?.(raw) : undefined;
    return event === undefined || event === SchemaFastPath.fallback
        ? decodeObject(raw)
        : // The fast decoder was compiled from the schema of this type.
            Result.succeed({ event: event, raw });
};
const failNotAnObject = () => failInvalid("invalid", "", "the event must be a JSON object");
/** Decodes a parsed value. */
export const decodeJson = (json) => Effect.suspend(() => Effect.fromResult(!isRecord(json) ? failNotAnObject() : isTooDeep(json, maxDepth) ? failTooDeep() : decodeObject(json)));
/** {@link decode} without an effect, for hot paths. */
export const decodeResult = (body) => {
    // `parse` has checked the depth.
    const json = parse(body);
    if (Result.isFailure(json))
        return Result.fail(json.failure);
    return isRecord(json.success) ? decodeParsed(json.success) : failNotAnObject();
};
export const decode = (body) => Effect.suspend(() => Effect.fromResult(decodeResult(body)));
const encoder = new TextEncoder();
/** Encodes an event of one of Armoricore's own services. */
export const encode = (event) => encoder.encode(JSON.stringify(event));
/** The payload schema of a type, for documentation. */
export const payloadSchema = (type) => eventRegistry[type].payload;
