/**
 * `POST /v1/webhooks/ses`: reports of Amazon SES through SNS, from the events of a configuration set or the notifications
 * of an identity. A subscription is confirmed automatically if SNS signed its message and its topic is allowed. The
 * signature alone does not suffice: anyone with an AWS account can let SNS sign messages of an own topic.
 *
 * | report | result |
 * |---|---|
 * | Delivery | `delivered` |
 * | Bounce: the address is invalid by its status, or the bounce is permanent and its status does not say otherwise | `bounced`, suppressed |
 * | other bounces, Reject, Rendering Failure | `bounced` |
 * | Bounce or Complaint that only names a suppression list of SES | `bounced`: SES did not send the mail |
 * | Complaint: `abuse`, `fraud`, `other`, without a type | `complained`, suppressed |
 * | Complaint: `not-spam` (RFC 6430) | ignored: the reader marked the mail as wanted |
 * | Complaint: `auth-failure` (RFC 6591), `virus` | logged: it is about the message, not a wish of the reader |
 * | Subscription | `unsubscribed` |
 */
import { hashOfAddress } from "@armoricore/state/SuppressionList";
import { Effect, Schema } from "effect";
import { HttpRouter } from "effect/http";
import { DeliveryReports } from "../delivery/DeliveryReports.ts";
import { parseJson } from "../providers/HttpCall.ts";
import { deliveryIdOfTag, tagName } from "../providers/email/SesTag.ts";
import { verdictOf } from "./BounceStatus.ts";
import { respond, readBody, reject } from "./WebhookResponse.ts";
import * as Sns from "./Sns.ts";
export const path = "/v1/webhooks/ses";
const Event = Schema.Struct({
    eventType: Schema.optionalKey(Schema.String),
    notificationType: Schema.optionalKey(Schema.String),
    mail: Schema.Struct({
        messageId: Schema.String,
        timestamp: Schema.String,
        tags: Schema.optionalKey(Schema.Record(Schema.String, Schema.Array(Schema.String))),
    }),
    bounce: Schema.optionalKey(Schema.Struct({
        bounceType: Schema.String,
        bounceSubType: Schema.optionalKey(Schema.NullOr(Schema.String)),
        bouncedRecipients: Schema.optionalKey(Schema.Array(Schema.Struct({
            emailAddress: Schema.String,
            action: Schema.optionalKey(Schema.NullOr(Schema.String)),
            status: Schema.optionalKey(Schema.NullOr(Schema.String)),
            diagnosticCode: Schema.optionalKey(Schema.NullOr(Schema.String)),
        }))),
        timestamp: Schema.optionalKey(Schema.String),
    })),
    complaint: Schema.optionalKey(Schema.Struct({
        complaintFeedbackType: Schema.optionalKey(Schema.NullOr(Schema.String)),
        complaintSubType: Schema.optionalKey(Schema.NullOr(Schema.String)),
        complainedRecipients: Schema.optionalKey(Schema.Array(Schema.Struct({ emailAddress: Schema.String }))),
        userAgent: Schema.optionalKey(Schema.NullOr(Schema.String)),
        timestamp: Schema.optionalKey(Schema.String),
    })),
    delivery: Schema.optionalKey(Schema.Struct({ timestamp: Schema.optionalKey(Schema.String) })),
});
const decode = Schema.decodeUnknownOption(Event);
export const routes = (options) => HttpRouter.use(Effect.fnUntraced(function* (router) {
    const reports = yield* DeliveryReports;
    const sns = Sns.make(options.fetchText);
    const handle = Effect.fn("SesWebhook.handle")(function* (request) {
        const message = yield* sns.read(yield* readBody(request));
        if (!options.topics.includes(message.TopicArn)) {
            return yield* reject(403, "foreign_topic", `the topic ${message.TopicArn} is not in SES_TOPICS`);
        }
        if (message.Type === "SubscriptionConfirmation")
            return yield* sns.confirm(message);
        if (message.Type !== "Notification")
            return;
        const event = decode(yield* parseJson(message.Message));
        // When a subscription is set up, SNS sends a plain sentence instead of a report.
        if (event._tag === "None")
            return;
        const { complaint, mail } = event.value;
        if (typeof complaint?.complaintFeedbackType === "string" && isAboutMessage(complaint.complaintFeedbackType)) {
            const type = complaint.complaintFeedbackType;
            yield* Effect.logWarning(`SES reported ${type} for a mail; check its signature and its content`, {
                message_id: mail.messageId,
            });
        }
        yield* reports.enqueue(reportsOf(message.MessageId, event.value));
    });
    yield* router.add("POST", path, (request) => respond("ses", handle(request)));
}));
const isAboutMessage = (feedbackType) => feedbackType === "auth-failure" || feedbackType === "virus";
/** The subtypes for mail that SES did not send, because the address is on a suppression list of SES. */
const suppressedBySes = new Set(["OnAccountSuppressionList", "Suppressed"]);
const reportsOf = (key, { bounce, complaint, delivery, eventType, mail, notificationType }) => {
    const tag = mail.tags?.[tagName]?.[0];
    if (tag === undefined)
        return [];
    const keyed = (changes, at) => changes.map((change, index) => ({
        key: index === 0 ? key : `${key}.${index}`,
        report: {
            delivery_id: deliveryIdOfTag(tag),
            provider: "ses",
            provider_id: mail.messageId,
            at: Date.parse(at ?? mail.timestamp),
            ...change,
        },
    }));
    switch (eventType ?? notificationType) {
        case "Delivery":
            return keyed([{ status: "delivered" }], delivery?.timestamp);
        case "Bounce":
            return bounce === undefined ? [] : keyed(bounceReports(bounce), bounce.timestamp);
        case "Complaint":
            return complaint === undefined ? [] : keyed(complaintReports(complaint), complaint.timestamp);
        case "Reject":
        case "Rendering Failure":
            return keyed([{ status: "bounced", reason: "rejected by SES" }]);
        case "Subscription":
            return keyed([{ status: "unsubscribed" }]);
        default:
            return [];
    }
};
/** One report for each recipient, as each has its own status. */
const bounceReports = ({ bounceSubType, bounceType, bouncedRecipients = [] }) => {
    const reason = [bounceType, bounceSubType].filter((part) => typeof part === "string").join(" ");
    const isSuppressedBySes = suppressedBySes.has(bounceSubType ?? "");
    const isPermanent = bounceType === "Permanent";
    if (bouncedRecipients.length === 0)
        return [{ status: "bounced", reason, permanent: isPermanent && !isSuppressedBySes, evidence: reason }];
    return bouncedRecipients.flatMap(({ action, diagnosticCode, emailAddress, status }) => {
        // RFC 3464: the server still tries.
        if (action === "delayed")
            return [];
        const verdict = verdictOf(status ?? undefined, action ?? undefined);
        const permanent = !isSuppressedBySes && (verdict === "invalid" || (verdict === "unclear" && isPermanent));
        const evidence = [reason, status, diagnosticCode].filter((part) => typeof part === "string").join(" ");
        return [{ status: "bounced", reason, permanent, evidence, recipients: [hashOfAddress(emailAddress)] }];
    });
};
const complaintReports = ({ complainedRecipients, complaintFeedbackType, complaintSubType, userAgent, }) => {
    const recipients = complainedRecipients?.map(({ emailAddress }) => hashOfAddress(emailAddress));
    const about = recipients === undefined || recipients.length === 0 ? {} : { recipients };
    if (suppressedBySes.has(complaintSubType ?? ""))
        return [{ status: "bounced", reason: `Complaint ${complaintSubType}`, permanent: false, ...about }];
    const reason = complaintFeedbackType ?? "complaint";
    if (reason === "not-spam" || isAboutMessage(reason))
        return [];
    const evidence = ["complaint", complaintFeedbackType, userAgent].filter((part) => typeof part === "string").join(" ");
    return [{ status: "complained", reason, evidence, ...about }];
};
