/**
 * `POST /v1/webhooks/twilio`: Twilio's status callbacks, with the delivery's id in the URL. The signature covers the URL as
 * this installation gave it and every parameter. Reports are deduplicated, so a replayed call has no effect.
 *
 * | `MessageStatus` | report |
 * |---|---|
 * | `delivered`, `read` | delivered |
 * | `undelivered`, `failed` | bounced, with the error code as reason |
 * | `accepted`, `queued`, `sending`, `sent` | none |
 */
import { PublicUrl } from "@armoricore/storage/PublicUrl";
import { Clock, Effect } from "effect";
import { HttpRouter } from "effect/http";
import { DeliveryReports } from "../delivery/DeliveryReports.ts";
import { deliveryParameter, isSameSignature, path, signatureOf } from "../providers/sms/TwilioCallback.ts";
import { readBody, reject, respond } from "./WebhookResponse.ts";
export { path } from "../providers/sms/TwilioCallback.ts";
const statuses = {
    delivered: "delivered",
    read: "delivered",
    undelivered: "bounced",
    failed: "bounced",
};
/** Twilio's error codes of carriers in words; another code is its own reason. */
const reasons = {
    "30003": "unreachable",
    "30004": "blocked",
    "30005": "unknown_number",
    "30006": "landline",
    "30007": "filtered",
    "30008": "unknown_error",
};
export const routes = ({ token }) => HttpRouter.use(Effect.fnUntraced(function* (router) {
    const reports = yield* DeliveryReports;
    const publicUrl = yield* PublicUrl;
    const handle = Effect.fn("TwilioWebhook.handle")(function* (request) {
        const parameters = new URLSearchParams((yield* readBody(request)).toString());
        const called = new URL(request.url, "http://ignored");
        // A proxy may have changed scheme, host and port: Twilio signed the public URL.
        const url = `${yield* publicUrl.get}${path}${called.search}`;
        const signature = request.headers["x-twilio-signature"] ?? "";
        if (!isSameSignature(signature, signatureOf(token, url, parameters))) {
            return yield* reject(401, "bad_signature", "the signature is not from Twilio; check SMS_TOKEN, and that PUBLIC_URL is the URL of this installation");
        }
        const status = statuses[parameters.get("MessageStatus") ?? ""];
        const delivery_id = called.searchParams.get(deliveryParameter);
        if (status === undefined || delivery_id === null)
            return;
        const sid = parameters.get("MessageSid") ?? "";
        const code = parameters.get("ErrorCode") ?? "";
        yield* reports.enqueue([
            {
                key: `${sid}|${status}`,
                report: {
                    delivery_id,
                    status,
                    provider: "twilio",
                    ...(sid === "" ? {} : { provider_id: sid }),
                    ...(status === "delivered" ? {} : { reason: reasons[code] ?? (code === "" ? "failed" : `code_${code}`) }),
                    at: yield* Clock.currentTimeMillis,
                },
            },
        ]);
    });
    yield* router.add("POST", path, (request) => respond("twilio", handle(request)));
}));
