/**
 * `POST /v1/webhooks/sendgrid`: SendGrid's signed event webhook. The signature is ECDSA over timestamp and raw body.
 * Reports are deduplicated, so a replayed call has no effect.
 */
import { ConfigurationError } from "@armoricore/domain/Errors";
import { hashOfAddress } from "@armoricore/state/SuppressionList";
import { Effect, Layer, Schema } from "effect";
import { HttpRouter, HttpServerRequest } from "effect/http";
import { createPublicKey, verify } from "node:crypto";
import { DeliveryReports } from "../delivery/DeliveryReports.ts";
import { parseJson } from "../providers/HttpCall.ts";
import { verdictOf } from "./BounceStatus.ts";
import { respond, readBody, reject } from "./WebhookResponse.ts";
export const path = "/v1/webhooks/sendgrid";
const Event = Schema.Struct({
    event: Schema.String,
    email: Schema.optionalKey(Schema.String),
    timestamp: Schema.Finite,
    sg_message_id: Schema.optionalKey(Schema.String),
    delivery_id: Schema.optionalKey(Schema.String),
    reason: Schema.optionalKey(Schema.String),
    /** The enhanced status code of a bounce. */
    status: Schema.optionalKey(Schema.String),
    /** Of a bounce: `bounce`, or `blocked` if only this mail was rejected. */
    type: Schema.optionalKey(Schema.String),
});
const decode = Schema.decodeUnknownOption(Schema.Array(Schema.Unknown));
const decodeEvent = Schema.decodeUnknownOption(Event);
export const routes = (options) => Layer.unwrap(Effect.map(keyOf(options.key), (key) => HttpRouter.use(Effect.fnUntraced(function* (router) {
    const reports = yield* DeliveryReports;
    const handle = Effect.fn("SendGridWebhook.handle")(function* (request) {
        const raw = yield* readBody(request);
        const signature = request.headers["x-twilio-email-event-webhook-signature"] ?? "";
        const timestamp = request.headers["x-twilio-email-event-webhook-timestamp"] ?? "";
        const signed = Buffer.concat([Buffer.from(timestamp), raw]);
        if (!verify("sha256", signed, key, Buffer.from(signature, "base64"))) {
            return yield* reject(401, "bad_signature", "the signature is not from SendGrid; check SENDGRID_WEBHOOK_KEY");
        }
        const events = decode(yield* parseJson(raw.toString()));
        if (events._tag === "None")
            return yield* reject(400, "undecodable", "the body must be a JSON array of events");
        const reported = events.value.flatMap((value) => {
            const event = decodeEvent(value);
            return event._tag === "None" ? [] : reportOf(event.value);
        });
        yield* reports.enqueue(reported);
    });
    yield* router.add("POST", path, (request) => respond("sendgrid", handle(request)));
}))));
const keyOf = (key) => Effect.try({
    try: () => createPublicKey({ key: Buffer.from(key, "base64"), format: "der", type: "spki" }),
    catch: () => new ConfigurationError({
        setting: "SENDGRID_WEBHOOK_KEY",
        message: "SENDGRID_WEBHOOK_KEY is not a public key; copy it from SendGrid's event webhook settings",
    }),
});
const statuses = {
    delivered: "delivered",
    bounce: "bounced",
    dropped: "bounced",
    spamreport: "complained",
    unsubscribe: "unsubscribed",
    group_unsubscribe: "unsubscribed",
};
const isText = (part) => part !== undefined && part !== "";
const isPermanent = ({ event, status, type }) => event === "bounce" && type !== "blocked" && verdictOf(status) !== "valid";
/** `processed`, `deferred`, `open` and `click` are not final states. */
const reportOf = (event) => {
    const status = statuses[event.event];
    if (status === undefined || event.delivery_id === undefined)
        return [];
    const { email = "", sg_message_id = "" } = event;
    return [
        {
            key: `${sg_message_id}|${event.event}|${email}|${event.timestamp}`,
            report: {
                delivery_id: event.delivery_id,
                status,
                provider: "sendgrid",
                // SendGrid appends routing information to the id of its first response.
                ...(sg_message_id === "" ? {} : { provider_id: sg_message_id.split(".")[0] ?? sg_message_id }),
                ...(status === "delivered" ? {} : { reason: (event.reason ?? event.event).slice(0, 500) }),
                ...(status === "delivered"
                    ? {}
                    : { evidence: [event.event, event.type, event.status, event.reason].filter(isText).join(" ") }),
                ...(email === "" ? {} : { recipients: [hashOfAddress(email)] }),
                ...(isPermanent(event) ? { permanent: true } : {}),
                at: event.timestamp * 1000,
            },
        },
    ];
};
