/**
 * Reads single messages of a stream without a consumer, by JetStream's Direct Get API. The `nats` client has no typed
 * method for it, so the request is built here.
 */
import { Effect } from "effect";
import { streamRequest } from "./NatsErrors.ts";
import * as NatsMessage from "./NatsMessage.ts";
const timeout = 5_000;
export const get = (client, stream, query) => streamRequest(`stream ${stream}`, () => client.request(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify(query), { timeout })).pipe(Effect.map((message) => {
    const { headers, data } = message;
    // The server appends its own headers after the publisher's, which may have the same names: the last value is the
    // server's.
    const own = (name) => headers?.last(name) ?? "";
    // A response without `Nats-Sequence` is a status: no such message.
    if (own("Nats-Sequence") === "")
        return undefined;
    const arrivedAt = new Date(own("Nats-Time-Stamp")).getTime();
    return {
        sequence: Number(own("Nats-Sequence")),
        stored: NatsMessage.stored({ subject: own("Nats-Subject"), data, ...(headers === undefined ? {} : { headers }) }, arrivedAt),
    };
}));
