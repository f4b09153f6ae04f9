/**
 * The V1 serializer of older Phoenix clients (no `vsn`, or `1.0.0`): an object `{topic, event, payload, ref}`, text
 * only. Bytes travel as `{"data": base64}`.
 */
import { exactRef, parseJson, refText } from "./SerializerV2.ts";
import { isRef } from "./Message.ts";
const decodeText = (text) => {
    const json = parseJson(text);
    if (typeof json !== "object" || json === null || Array.isArray(json))
        return undefined;
    const { topic, event, payload, ...refs } = { ...json };
    const ref = exactRef(text, refs["ref"] ?? null);
    const joinRef = exactRef(text, refs["join_ref"] ?? null);
    if (!isRef(joinRef) || !isRef(ref) || typeof topic !== "string" || typeof event !== "string")
        return undefined;
    return { joinRef, ref, topic, event, payload: payload ?? {} };
};
const object = (payload) => payload instanceof Uint8Array ? { data: Buffer.from(payload).toString("base64") } : payload;
const encode = (topic, event, payload, ref) => typeof ref === "bigint"
    ? `${JSON.stringify({ topic, event, payload }).slice(0, -1)},"ref":${refText(ref)}}`
    : JSON.stringify({ topic, event, payload, ref });
export const serializer = {
    version: "1.0.0",
    decodeText,
    decodeBinary: () => undefined,
    reply: ({ ref, topic }, status, response) => encode(topic, "phx_reply", { status, response: object(response) }, ref),
    push: (_joinRef, topic, event, payload) => encode(topic, event, object(payload), null),
    end: (joinRef, topic, event, payload) => encode(topic, event, payload, joinRef),
    broadcast: (topic, event, payload) => encode(topic, event, object(payload), null),
};
