/**
 * Messages to a Discord channel by a webhook. `data.discord` adds fields of Discord's message, for example `embeds`. `@everyone` and
 * other mentions in a text notify no member: `allowed_mentions` is empty.
 *
 * | response | result |
 * |---|---|
 * | 200 | accepted, with the message's id |
 * | 404 code 10015, 401 code 50027 | invalid target: the webhook was deleted |
 * | 429 | throttled until `Retry-After` |
 * | 400, other 4xx | permanent |
 * | 5xx | transient |
 */
import { Effect, Option, Schema } from "effect";
import { layer as providerLayer } from "../../provider/Provider.ts";
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts";
import * as ChatWebhook from "./ChatWebhook.ts";
const name = "discord";
const maxCharacters = 2_000;
export const layer = (options) => providerLayer(ChatWebhook.make(service, options));
export const discord = ProviderDescriptor.define({
    name,
    title: "Discord",
    channel: "discord",
    settings: {},
    layer: (_settings, { limits }) => layer(limits),
});
const service = {
    name,
    title: "Discord",
    // Without it the response has no message and no id.
    query: { wait: "true" },
    requestOf: (message) => {
        const { text, title } = message;
        const content = [title === "" ? "" : `**${title}**`, text].filter((line) => line !== "").join("\n");
        if ([...content].length > maxCharacters) {
            return Effect.succeed({
                fault: `the message has ${[...content].length} characters, Discord accepts ${maxCharacters}; shorten title or body`,
            });
        }
        return ChatWebhook.jsonRequest(message, name, { content, allowed_mentions: { parse: [] } });
    },
    goneReason: ({ status, text }) => {
        const code = Option.getOrUndefined(decodeError(text))?.code;
        return (status === 404 && code === 10_015) || (status === 401 && code === 50_027) ? "unknown_webhook" : undefined;
    },
    providerIdOf: ({ text }) => Effect.succeed(decodeId(text)),
};
const decodeError = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ code: Schema.Finite })));
/** Of Discord's message. Only the start of a long response is known, so it need not be valid JSON. */
const decodeId = (text) => Option.getOrUndefined(decodeMessage(text))?.id ?? /"id":\s*"([0-9]{5,30})"/.exec(text)?.[1];
const decodeMessage = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ id: Schema.String })));
