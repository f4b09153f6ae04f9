/**
 * Messages to a channel of Microsoft Teams by a webhook: of a workflow ("When a Teams webhook request is received"), or an
 * incoming webhook connector. The message is an adaptive card; `data.teams` replaces fields of the card, for example `body`.
 *
 * | response | result |
 * |---|---|
 * | 202 (workflow), 200 `1` (connector) | accepted |
 * | 200 with `… returned HTTP error 429` (connector), 429 | throttled |
 * | other 200 with `Webhook message delivery failed` | permanent |
 * | 404, 410 | invalid target: the workflow or connector was deleted |
 * | 413, other 4xx | permanent |
 * | 5xx | transient |
 */
import { PermanentError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
import { layer as providerLayer } from "../../provider/Provider.ts";
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts";
import * as ChatWebhook from "./ChatWebhook.ts";
const name = "teams";
/** Teams accepts 28 KB for a message. */
const maxBytes = 28_000;
export const layer = (options) => providerLayer(ChatWebhook.make(service, options));
export const teams = ProviderDescriptor.define({
    name,
    title: "Microsoft Teams",
    channel: "teams",
    settings: {},
    layer: (_settings, { limits }) => layer(limits),
});
const service = {
    name,
    title: "Microsoft Teams",
    maxBytes,
    requestOf: (message) => {
        const extra = ChatWebhook.extraFields(message, name);
        if (typeof extra === "string")
            return Effect.succeed({ fault: extra });
        const { text, title } = message;
        const card = {
            $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
            type: "AdaptiveCard",
            version: "1.4",
            body: [
                ...(title === "" ? [] : [{ type: "TextBlock", text: title, weight: "Bolder", size: "Medium", wrap: true }]),
                ...(text === "" ? [] : [{ type: "TextBlock", text, wrap: true }]),
            ],
            ...extra,
        };
        return Effect.succeed({
            body: JSON.stringify({
                type: "message",
                attachments: [{ contentType: "application/vnd.microsoft.card.adaptive", contentUrl: null, content: card }],
            }),
        });
    },
    goneReason: ({ status }) => (status === 404 || status === 410 ? "webhook_gone" : undefined),
    // A connector answers with 200 even if Teams refused the message.
    hiddenFailure: ({ headers, text }) => {
        if (!text.startsWith("Webhook message delivery failed"))
            return Effect.succeed(undefined);
        const message = `Microsoft Teams did not deliver the message: ${text.slice(0, 300)}`;
        return / HTTP error (429|5[0-9][0-9])/.test(text)
            ? Effect.flip(ChatWebhook.throttled(service, headers, message))
            : Effect.succeed(new PermanentError({ code: "refused", message }));
    },
};
