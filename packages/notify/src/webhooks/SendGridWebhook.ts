/**
 * `POST /v1/webhooks/sendgrid`: SendGrid's signed event webhook. The signature is ECDSA over timestamp and raw body; a
 * call that is repeated, even by a stranger who recorded it, changes nothing a second time.
 */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerRequest } from "effect/http"
import { createPublicKey, verify } from "node:crypto"
import { type DeliveryReport, DeliveryReports } from "../delivery/DeliveryReports.ts"
import { parseJson } from "../providers/HttpCall.ts"
import { respond, readBody, reject } from "./WebhookResponse.ts"

export const path = "/v1/webhooks/sendgrid"

export interface Options {
  /** `SENDGRID_WEBHOOK_KEY`: base64 of the public key's SPKI, as SendGrid shows it. */
  readonly key: string
}

const Event = Schema.Struct({
  event: Schema.String,
  email: Schema.optionalKey(Schema.String),
  timestamp: Schema.Finite,
  sg_message_id: Schema.optionalKey(Schema.String),
  delivery_id: Schema.optionalKey(Schema.String),
  reason: Schema.optionalKey(Schema.String),
  /** Of a bounce: `bounce` or, for a refusal of this mail alone, `blocked`. */
  type: Schema.optionalKey(Schema.String),
})
type Event = typeof Event.Type
const decode = Schema.decodeUnknownOption(Schema.Array(Schema.Unknown))
const decodeEvent = Schema.decodeUnknownOption(Event)

export const routes = (options: Options) =>
  Layer.unwrap(
    Effect.map(keyOf(options.key), (key) =>
      HttpRouter.use(
        Effect.fnUntraced(function* (router) {
          const reports = yield* DeliveryReports
          const handle = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
            const raw = yield* readBody(request)
            const signature = request.headers["x-twilio-email-event-webhook-signature"] ?? ""
            const timestamp = request.headers["x-twilio-email-event-webhook-timestamp"] ?? ""
            const signed = Buffer.concat([Buffer.from(timestamp), raw])
            if (!verify("sha256", signed, key, Buffer.from(signature, "base64"))) {
              return yield* reject(401, "bad_signature", "the signature is not SendGrid's")
            }
            const events = decode(yield* parseJson(raw.toString()))
            if (events._tag === "None") return yield* reject(400, "undecodable", "the body is a JSON array of events")
            const found = events.value.flatMap((value) => {
              const event = decodeEvent(value)
              return event._tag === "None" ? [] : reportOf(event.value)
            })
            yield* reports.enqueue(found)
          })
          yield* router.add("POST", path, (request) => respond("sendgrid", handle(request)))
        }),
      ),
    ),
  )

const keyOf = (key: string) =>
  Effect.try({
    try: () => createPublicKey({ key: Buffer.from(key, "base64"), format: "der", type: "spki" }),
    catch: () =>
      new ConfigurationError({
        setting: "SENDGRID_WEBHOOK_KEY",
        message: "SENDGRID_WEBHOOK_KEY is no public key; copy it from SendGrid's event webhook settings",
      }),
  })

const statuses: Readonly<Record<string, DeliveryReport["status"]>> = {
  delivered: "delivered",
  bounce: "bounced",
  dropped: "bounced",
  spamreport: "complained",
  unsubscribe: "unsubscribed",
  group_unsubscribe: "unsubscribed",
}

/** `processed`, `deferred`, `open` and `click` say nothing about a final state. */
const reportOf = (event: Event): ReadonlyArray<{ readonly key: string; readonly report: DeliveryReport }> => {
  const status = statuses[event.event]
  if (status === undefined || event.delivery_id === undefined) return []
  const { email = "", sg_message_id = "" } = event
  return [
    {
      key: `${sg_message_id}|${event.event}|${email}|${event.timestamp}`,
      report: {
        delivery_id: event.delivery_id,
        status,
        provider: "sendgrid",
        // SendGrid appends its routing to the id that it gave at first.
        ...(sg_message_id === "" ? {} : { provider_id: sg_message_id.split(".")[0] ?? sg_message_id }),
        ...(status === "delivered" ? {} : { reason: (event.reason ?? event.event).slice(0, 500) }),
        ...(event.event === "bounce" && event.type !== "blocked" ? { permanent: true } : {}),
        at: event.timestamp * 1000,
      },
    },
  ]
}
