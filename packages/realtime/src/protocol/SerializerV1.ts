/**
 * The V1 serializer of older Phoenix clients (no `vsn`, or `1.0.0`): an object `{topic, event, payload, ref}`, text
 * only. Bytes travel as `{"data": base64}`.
 */
import { parseJson } from "./SerializerV2.ts"
import { isRef, type Message, type Payload, type Serializer } from "./Message.ts"

const decodeText = (text: string): Message | undefined => {
  const json = parseJson(text)
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined
  const { topic, event, payload, ref = null, join_ref: joinRef = null }: Partial<Record<string, unknown>> = { ...json }
  if (!isRef(joinRef) || !isRef(ref) || typeof topic !== "string" || typeof event !== "string") return undefined
  return { joinRef, ref, topic, event, payload: payload ?? {} }
}

const object = (payload: Payload): object =>
  payload instanceof Uint8Array ? { data: Buffer.from(payload).toString("base64") } : payload

export const serializer: Serializer = {
  version: "1.0.0",
  decodeText,
  decodeBinary: () => undefined,
  reply: ({ ref, topic }, status, response) =>
    JSON.stringify({ topic, event: "phx_reply", payload: { status, response: object(response) }, ref }),
  push: (_joinRef, topic, event, payload) => JSON.stringify({ topic, event, payload: object(payload), ref: null }),
  end: (joinRef, topic, event, payload) => JSON.stringify({ topic, event, payload, ref: joinRef }),
  broadcast: (topic, event, payload) => JSON.stringify({ topic, event, payload: object(payload), ref: null }),
}
