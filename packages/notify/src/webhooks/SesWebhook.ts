/**
 * `POST /v1/webhooks/ses`: reports of Amazon SES through SNS, from the events of a configuration set or the notifications
 * of an identity. A subscription is confirmed automatically if SNS signed its message and its topic is allowed.
 */
import { Effect, Schema } from "effect"
import { HttpRouter, type HttpServerRequest } from "effect/http"
import { type DeliveryReport, DeliveryReports } from "../delivery/DeliveryReports.ts"
import { parseJson } from "../providers/HttpCall.ts"
import { deliveryIdOfTag, tagName } from "../providers/email/SesTag.ts"
import { respond, readBody, reject } from "./WebhookResponse.ts"
import * as Sns from "./Sns.ts"

export const path = "/v1/webhooks/ses"

export interface Options {
  /** ARNs of the topics that may report. Absent: any topic; a report must still name a known delivery id. */
  readonly topics?: ReadonlyArray<string>
  /** Replaces SNS in tests. */
  readonly fetchText?: Sns.Fetch
}

const Event = Schema.Struct({
  eventType: Schema.optionalKey(Schema.String),
  notificationType: Schema.optionalKey(Schema.String),
  mail: Schema.Struct({
    messageId: Schema.String,
    timestamp: Schema.String,
    tags: Schema.optionalKey(Schema.Record(Schema.String, Schema.Array(Schema.String))),
  }),
  bounce: Schema.optionalKey(
    Schema.Struct({
      bounceType: Schema.String,
      bounceSubType: Schema.optionalKey(Schema.String),
      timestamp: Schema.optionalKey(Schema.String),
    }),
  ),
  complaint: Schema.optionalKey(
    Schema.Struct({
      complaintFeedbackType: Schema.optionalKey(Schema.NullOr(Schema.String)),
      timestamp: Schema.optionalKey(Schema.String),
    }),
  ),
  delivery: Schema.optionalKey(Schema.Struct({ timestamp: Schema.optionalKey(Schema.String) })),
})
const decode = Schema.decodeUnknownOption(Event)

export const routes = (options: Options = {}) =>
  HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      const reports = yield* DeliveryReports
      const sns = Sns.make(options.fetchText)
      const handle = Effect.fn("SesWebhook.handle")(function* (request: HttpServerRequest.HttpServerRequest) {
        const message = yield* sns.read(yield* readBody(request))
        if (options.topics !== undefined && !options.topics.includes(message.TopicArn)) {
          return yield* reject(403, "foreign_topic", `the topic ${message.TopicArn} is not in SES_TOPICS`)
        }
        if (message.Type === "SubscriptionConfirmation") return yield* sns.confirm(message)
        if (message.Type !== "Notification") return
        const event = decode(yield* parseJson(message.Message))
        // When a subscription is set up, SNS sends a plain sentence instead of a report.
        if (event._tag === "None") return
        yield* reports.enqueue(reportOf(message.MessageId, event.value))
      })
      yield* router.add("POST", path, (request) => respond("ses", handle(request)))
    }),
  )

const reportOf = (
  key: string,
  { bounce, complaint, delivery, eventType, mail, notificationType }: typeof Event.Type,
): ReadonlyArray<{ readonly key: string; readonly report: DeliveryReport }> => {
  const tag = mail.tags?.[tagName]?.[0]
  if (tag === undefined) return []
  const report = (status: DeliveryReport["status"], at: string | undefined, more: Partial<DeliveryReport> = {}) => [
    {
      key,
      report: {
        delivery_id: deliveryIdOfTag(tag),
        status,
        provider: "ses",
        provider_id: mail.messageId,
        at: Date.parse(at ?? mail.timestamp),
        ...more,
      },
    },
  ]
  switch (eventType ?? notificationType) {
    case "Delivery":
      return report("delivered", delivery?.timestamp)
    case "Bounce": {
      const reason = [bounce?.bounceType, bounce?.bounceSubType].filter((part) => part !== undefined).join(" ")
      return report("bounced", bounce?.timestamp, { reason, permanent: bounce?.bounceType === "Permanent" })
    }
    case "Complaint":
      return report("complained", complaint?.timestamp, { reason: complaint?.complaintFeedbackType ?? "complaint" })
    case "Reject":
    case "Rendering Failure":
      return report("bounced", undefined, { reason: "rejected by SES" })
    case "Subscription":
      return report("unsubscribed", undefined)
    default:
      return []
  }
}
