/**
 * SendGrid for tests: `/v3/mail/send`, and the signed calls of its event webhook. The recipient's local part decides the
 * answer: `throttled`, `busy` (both the first time only), `unauthorized`, `malformed`, `large`, `cut` (taken, then the
 * connection is lost); every other mail is accepted.
 */
import { Context, Effect, Layer, Redacted } from "effect"
import { generateKeyPairSync, sign } from "node:crypto"
import * as HttpServers from "./HttpServers.ts"

export interface AcceptedMail {
  readonly to: string
  readonly deliveryId: string
  readonly messageId: string
  readonly body: Readonly<Record<string, unknown>>
}

/** A call of the event webhook, ready to be made. */
export interface WebhookCall {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export class FakeSendGrid extends Context.Service<
  FakeSendGrid,
  {
    readonly baseUrl: string
    readonly apiKey: Redacted.Redacted<string>
    /** The webhook's public key: base64 of its SPKI. */
    readonly webhookKey: string
    readonly accepted: Array<AcceptedMail>
    readonly asked: Array<string>
    /** Signs events as SendGrid does. `timestamp`: epoch seconds. */
    readonly webhook: (events: ReadonlyArray<object>, timestamp?: number) => WebhookCall
    down: boolean
  }
>()("@armoricore/testing/FakeSendGrid") {
  static readonly layer: Layer.Layer<FakeSendGrid> = Layer.effect(
    FakeSendGrid,
    Effect.suspend(() => make),
  )
}

const apiKey = "SG.fake-key"

const make = Effect.gen(function* () {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" })
  const accepted: Array<AcceptedMail> = []
  const asked: Array<string> = []
  const seen = new Set<string>()

  const answer = (request: HttpServers.Asked): HttpServers.Answer => {
    if (request.headers.authorization !== `Bearer ${apiKey}`) return refusal(401, "authorization required")
    if (fake.down) return refusal(503, "out of order")
    const body = JSON.parse(request.body.toString())
    const [person] = body.personalizations
    const to: string = person.to[0].email
    const again = asked.includes(to)
    asked.push(to)
    if (to.startsWith("throttled") && !again) {
      const reset = Math.ceil(Date.now() / 1000) + 1
      return { ...refusal(429, "too many requests"), headers: { "x-ratelimit-reset": String(reset) } }
    }
    if (to.startsWith("busy") && !again) return refusal(503, "out of order")
    if (to.startsWith("unauthorized")) return refusal(403, "the sender is not verified")
    if (to.startsWith("malformed")) return refusal(400, "does not contain a valid address")
    if (to.startsWith("large")) return refusal(413, "payload too large")
    const messageId = crypto.randomUUID()
    accepted.push({ to, deliveryId: person.custom_args?.delivery_id, messageId, body })
    if (to.startsWith("cut") && !seen.has(to) && seen.add(to) !== undefined) return { status: 0, cut: true }
    return { status: 202, headers: { "x-message-id": messageId } }
  }

  const fake: FakeSendGrid["Service"] = {
    baseUrl: yield* HttpServers.http(answer),
    apiKey: Redacted.make(apiKey),
    webhookKey: publicKey.export({ format: "der", type: "spki" }).toString("base64"),
    accepted,
    asked,
    webhook: (events, timestamp = Math.floor(Date.now() / 1000)) => {
      const body = JSON.stringify(events)
      return {
        body,
        headers: {
          "content-type": "application/json",
          "x-twilio-email-event-webhook-timestamp": String(timestamp),
          "x-twilio-email-event-webhook-signature": sign(
            "sha256",
            Buffer.from(`${timestamp}${body}`),
            privateKey,
          ).toString("base64"),
        },
      }
    },
    down: false,
  }
  return fake
})

const refusal = (status: number, message: string): HttpServers.Answer => ({
  status,
  body: JSON.stringify({ errors: [{ message }] }),
})
