/**
 * `Armoricore-Signature: keyid=ID,t=UNIXSECONDS,v1=HEX` where HEX is HMAC-SHA256(secret, `t + "." + raw body`).
 * The same header on NATS, on `POST /v1/events` and on the webhooks that Armoricore sends.
 */
import { Effect, Option, Redacted } from "effect"
import { Rejected } from "./Errors.ts"

export const signatureHeader = "Armoricore-Signature"
export const toleranceSeconds = 300

export type SigningKeys = ReadonlyMap<string, Redacted.Redacted<string>>

const encoder = new TextEncoder()

const importKey = (secret: Redacted.Redacted<string>, usage: "sign" | "verify") =>
  crypto.subtle.importKey("raw", encoder.encode(Redacted.value(secret)), { name: "HMAC", hash: "SHA-256" }, false, [
    usage,
  ])

const signed = (timestamp: number, body: Uint8Array): Uint8Array<ArrayBuffer> => {
  const prefix = encoder.encode(`${timestamp}.`)
  const all = new Uint8Array(prefix.byteLength + body.byteLength)
  all.set(prefix)
  all.set(body, prefix.byteLength)
  return all
}

/** The header's value; `timestamp` in Unix seconds. */
export const sign = (
  keyId: string,
  secret: Redacted.Redacted<string>,
  timestamp: number,
  body: Uint8Array,
): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(async () => crypto.subtle.sign("HMAC", await importKey(secret, "sign"), signed(timestamp, body))),
    (digest) => {
      const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("")
      return `keyid=${keyId},t=${timestamp},v1=${hex}`
    },
  )

interface Parts {
  readonly keyId: string
  readonly timestamp: number
  readonly mac: Uint8Array<ArrayBuffer>
}

const parse = (header: string): Option.Option<Parts> => {
  const fields = new Map(
    header.split(",").map((field) => {
      const at = field.indexOf("=")
      return [field.slice(0, at).trim(), field.slice(at + 1).trim()] as const
    }),
  )
  const keyId = fields.get("keyid")
  const timestamp = fields.get("t")
  const mac = fields.get("v1")
  if (keyId === undefined || timestamp === undefined || mac === undefined) return Option.none()
  if (!/^[0-9]{1,12}$/.test(timestamp) || !/^[0-9a-f]{64}$/i.test(mac)) return Option.none()
  const bytes = Uint8Array.from(mac.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
  return Option.some({ keyId, timestamp: Number(timestamp), mac: bytes })
}

const refuse = (message: string) =>
  Effect.fail(new Rejected({ reason: "bad_signature", path: signatureHeader, message }))

/** Succeeds with the key's id. `arrivedAt` (epoch milliseconds) is when the bus or the server received it, so that a backlog stays valid. */
export const verify = (
  keys: SigningKeys,
  header: string | undefined,
  body: Uint8Array,
  arrivedAt: number,
): Effect.Effect<string, Rejected> =>
  Effect.suspend(() => {
    if (header === undefined) return refuse("the event is not signed; sign it with a key of EVENT_SIGNING_KEYS")
    const parts = parse(header)
    if (Option.isNone(parts)) return refuse("the signature is not of the form keyid=ID,t=UNIXSECONDS,v1=HEX")
    const { keyId, timestamp, mac } = parts.value
    const secret = keys.get(keyId)
    if (secret === undefined) return refuse(`no signing key has the id ${keyId}`)
    if (Math.abs(arrivedAt / 1000 - timestamp) > toleranceSeconds) {
      return refuse(`the signature is more than ${toleranceSeconds} s away from its arrival; sign when you send`)
    }
    return Effect.flatMap(
      Effect.promise(async () =>
        crypto.subtle.verify("HMAC", await importKey(secret, "verify"), mac, signed(timestamp, body)),
      ),
      (valid) => (valid ? Effect.succeed(keyId) : refuse("the signature does not match the body")),
    )
  })
