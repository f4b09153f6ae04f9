/**
 * Notifications as signed POSTs to a URL of the recipient. The header `Armoricore-Signature` is that of the result webhook
 * (`domain/Signature`), with the key id `notify` and `NOTIFY_WEBHOOK_SECRET`. A repetition has the same `delivery_id`.
 *
 * | response | result |
 * |---|---|
 * | 2xx | accepted |
 * | 410 | invalid target: the receiver wants no more |
 * | 429 | throttled until `Retry-After` |
 * | 408, 5xx | transient, no earlier than `Retry-After` |
 * | 3xx, other 4xx | permanent |
 */
import * as Signature from "@armoricore/domain/Signature";
import { Clock, Effect } from "effect";
import { layer as providerLayer } from "../../provider/Provider.ts";
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts";
import * as ChatWebhook from "./ChatWebhook.ts";
const name = "webhook";
const keyId = "notify";
export const layer = (options) => providerLayer(ChatWebhook.make(service(options), options));
export const signedWebhook = ProviderDescriptor.define({
    name,
    title: "signed webhooks",
    channel: "webhook",
    settings: {
        NOTIFY_WEBHOOK_SECRET: {
            kind: "secret",
            isRequired: true,
            description: "secret that signs notifications of type webhook",
            defaultText: "off",
            example: "…",
        },
    },
    layer: ({ NOTIFY_WEBHOOK_SECRET: secret }, { limits }) => layer({ secret, ...limits }),
});
const service = ({ secret }) => ({
    name,
    title: "the webhook",
    requestOf: (message) => Effect.map(Clock.currentTimeMillis, (now) => {
        const body = JSON.stringify(payloadOf(message));
        const signature = Signature.sign(keyId, secret, Math.floor(now / 1000), Buffer.from(body));
        return { body, headers: { [Signature.signatureHeader]: signature } };
    }),
    goneReason: ({ status }) => (status === 410 ? "webhook_gone" : undefined),
});
const payloadOf = ({ collapseKey, data, deliveryId, notificationId, text, title, userId }) => ({
    notification_id: notificationId,
    delivery_id: deliveryId,
    user_id: userId,
    title,
    body: text,
    data,
    ...(collapseKey === undefined ? {} : { collapse_key: collapseKey }),
});
