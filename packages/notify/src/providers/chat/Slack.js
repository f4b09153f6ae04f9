/**
 * Messages to a Slack channel by an incoming webhook (also Mattermost and Rocket.Chat, which accept the same format).
 * `data.slack` adds fields of Slack's message, for example `blocks`.
 *
 * | response | result |
 * |---|---|
 * | 200 `ok` | accepted |
 * | 403 `invalid_token`, `team_disabled`; 404 `no_service`, `no_active_hooks`, `no_team`, `channel_not_found`; 410 `channel_is_archived` | invalid target |
 * | 429 | throttled until `Retry-After` |
 * | 400 `invalid_payload`, `no_text`; 403 `action_prohibited`, `posting_to_general_channel_denied`; others | permanent |
 * | 5xx `rollup_error` | transient |
 */
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts";
import { layer as providerLayer } from "../../provider/Provider.ts";
import * as ChatWebhook from "./ChatWebhook.ts";
const name = "slack";
export const layer = (options) => providerLayer(ChatWebhook.make(service, options));
export const slack = ProviderDescriptor.define({
    name,
    title: "Slack",
    channel: "slack",
    settings: {},
    layer: (_settings, { limits }) => layer(limits),
});
const goneTexts = new Set([
    "invalid_token",
    "team_disabled",
    "no_service",
    "no_service_id",
    "no_active_hooks",
    "no_team",
    "channel_not_found",
    "channel_is_archived",
]);
const service = {
    name,
    title: "Slack",
    // Slack accepts 40,000 characters of text.
    maxBytes: 160_000,
    requestOf: (message) => {
        const { text, title } = message;
        const lines = [title === "" ? "" : `*${escape(title)}*`, escape(text)].filter((line) => line !== "");
        return ChatWebhook.jsonRequest(message, name, { text: lines.join("\n") });
    },
    goneReason: ({ text }) => (goneTexts.has(text.trim()) ? text.trim() : undefined),
};
/** Slack's three control characters; without this a text could mention the whole channel. */
const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
