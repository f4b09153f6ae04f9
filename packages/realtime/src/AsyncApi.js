/**
 * The AsyncAPI 3 document of the WebSocket interface, generated from the declarations of the channels. `npm run
 * docs:asyncapi` writes it to `docs/asyncapi.json`.
 *
 * A message of the document describes one V2 frame `[join_ref, ref, topic, event, payload]`: its name is the frame's
 * `event`, its payload the frame's `payload`. A reply arrives as `phx_reply` with `{status, response}`; the document
 * describes `response`.
 */
import { Schema } from "effect";
import { declarations } from "./channels/BuiltInChannels.ts";
import { reasons } from "./channel/ChannelError.ts";
// Every channel has these messages in addition to its own.
const tokenRefreshReply = Schema.Struct({ expires_at: Schema.String });
const tokenRefresh = Schema.Struct({ token: Schema.String });
const errorReply = Schema.Struct({ reason: Schema.String });
export const document = () => {
    const schemas = {};
    const channels = {};
    const operations = {};
    const message = (name, title, schema) => {
        const { schema: json, definitions } = Schema.toJsonSchemaDocument(schema);
        for (const [key, definition] of Object.entries(definitions))
            schemas[key] = definition;
        return { name, title, contentType: "application/json", payload: { schemaFormat, schema: relocateRefs(json) } };
    };
    for (const [channel, declaration] of declarations) {
        const messages = { refused: message("phx_reply", "reply with status error", errorReply) };
        const reference = (key) => ({ $ref: `#/channels/${channel}/messages/${key}` });
        const addClientEvent = (event, title, payload, reply) => {
            messages[event] = message(event, title, payload);
            messages[`${event}_ok`] = message("phx_reply", `reply with status ok to ${event}`, reply ?? Schema.Struct({}));
            operations[`${channel}.${event}`] = {
                action: "receive",
                channel: { $ref: `#/channels/${channel}` },
                summary: `a client sends ${event}`,
                messages: [reference(event)],
                reply: {
                    channel: { $ref: `#/channels/${channel}` },
                    messages: [reference(`${event}_ok`), reference("refused")],
                },
            };
        };
        addClientEvent("phx_join", "join", declaration.join.payload, declaration.join.reply);
        for (const [event, { payload, reply }] of Object.entries(declaration.client))
            addClientEvent(event, event, payload, reply);
        addClientEvent("access_token", "a new token, before the current one expires", tokenRefresh, tokenRefreshReply);
        for (const [event, { payload, droppable }] of Object.entries(declaration.server)) {
            const key = `${event}_event`;
            messages[key] = message(event, event, payload);
            operations[`${channel}.${key}`] = {
                action: "send",
                channel: { $ref: `#/channels/${channel}` },
                summary: `the server sends ${event}${droppable === true ? "; dropped if the client reads too slowly" : ""}`,
                messages: [reference(key)],
            };
        }
        channels[channel] = {
            address: declaration.topic,
            parameters: Object.fromEntries(Object.keys(declaration.params).map((name) => [name, { description: "[A-Za-z0-9_-]{1,128}" }])),
            messages,
        };
    }
    return {
        asyncapi: "3.0.0",
        info: {
            title: "Armoricore realtime",
            version: "1.0.0",
            description: `Phoenix Channels V2 over WebSocket at /socket/websocket, long poll at /socket/longpoll. Reasons of error replies: ${Object.keys(reasons).join(", ")}.`,
        },
        defaultContentType: "application/json",
        channels,
        operations,
        components: { schemas },
    };
};
export const text = () => `${JSON.stringify(document(), null, 2)}\n`;
const schemaFormat = "application/schema+json;version=draft-2020-12";
/** All messages share one set of definitions, so a local reference becomes a reference to the document's components. */
const relocateRefs = (value) => {
    if (Array.isArray(value))
        return value.map(relocateRefs);
    if (typeof value !== "object" || value === null)
        return value;
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [
        key,
        key === "$ref" && typeof child === "string"
            ? child.replace(/^#\/\$defs\//, "#/components/schemas/")
            : relocateRefs(child),
    ]));
};
