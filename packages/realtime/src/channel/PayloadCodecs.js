/** Encoders and decoders of the payloads that channels declare. */
import { describeSchemaError } from "@armoricore/domain/EventCodec";
import { Effect, Schema } from "effect";
import { invalidPayload } from "./ChannelError.ts";
/** A payload of bytes, sent as a binary frame. */
export const Binary = Schema.Uint8Array;
/** A value that does not match its declaration is a bug in the channel, so the membership crashes. */
export const encoder = (schema) => {
    const encode = Schema.encodeEffect(schema);
    return (value) => Effect.flatMap(Effect.orDie(encode(value)), (encoded) => typeof encoded === "object" && encoded !== null
        ? Effect.succeed(encoded)
        : Effect.die(new Error("a payload or reply of a channel must encode to an object or to bytes")));
};
const isStruct = (schema) => "fields" in schema;
/**
 * An encoder of replies that encodes a frozen list once for all replies that contain it: the joins of a room that read its
 * history together get the same messages. A list that is not frozen may change until the next reply.
 */
export const replyEncoder = (schema) => {
    const encodeReply = encoder(schema);
    if (!isStruct(schema))
        return encodeReply;
    const encoded = new WeakMap();
    const encoders = new Map(Object.entries(schema.fields).map(([name, field]) => [name, encoder(field)]));
    const encodeList = (name, list) => {
        const known = encoded.get(list);
        if (known !== undefined)
            return Effect.succeed(known);
        const encode = encoders.get(name);
        if (encode === undefined)
            return Effect.die(new Error(`the reply declares no field ${name}`));
        return Effect.tap(encode(list), (result) => Effect.sync(() => encoded.set(list, result)));
    };
    return (reply) => Effect.gen(function* () {
        const lists = {};
        const others = {};
        for (const [name, value] of Object.entries(Object(reply))) {
            const isShared = Array.isArray(value) && Object.isFrozen(value);
            if (isShared)
                lists[name] = yield* encodeList(name, value);
            others[name] = isShared ? [] : value;
        }
        return { ...(yield* encodeReply(others)), ...lists };
    });
};
export const decoder = (schema) => {
    const decode = Schema.decodeUnknownEffect(schema);
    return (payload) => 
    // `Schema.Struct({})` would also accept a string, an array or bytes.
    schema !== Binary && !isObject(payload)
        ? Effect.fail(notAnObject)
        : Effect.mapError(decode(payload), (error) => {
            const { path, message } = describeSchemaError(error, { input: payload, whole: "the payload" });
            return invalidPayload(path, message);
        });
};
const notAnObject = invalidPayload("", "the payload must be an object");
const isObject = (payload) => typeof payload === "object" && payload !== null && !Array.isArray(payload) && !(payload instanceof Uint8Array);
