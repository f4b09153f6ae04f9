/**
 * Shared parts of the incoming webhooks of chat services. The target is the URL that the service gave for one channel. A program with it
 * may post there, so it is a secret: state documents contain it, and logs and events do not.
 */
import { PermanentError, TransientError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
import { InvalidTarget, } from "../../provider/Provider.ts";
import * as HttpCall from "../HttpCall.ts";
import * as PublicHttps from "../PublicHttps.ts";
const defaultRetryAfterMillis = 30_000;
export const make = (service, options) => Effect.map(PublicHttps.make({
    dependency: service.name,
    server: service.title,
    privateEndpoints: options.privateEndpoints,
}), (https) => ({
    name: service.name,
    channels: [service.name],
    reports: false,
    ...(options.maxPerSecond === undefined ? {} : { maxPerSecond: options.maxPerSecond }),
    // Each URL has its own limits and its own server.
    circuitKey: ({ target }) => ("url" in target && URL.canParse(target.url) ? new URL(target.url).host : ""),
    send: Effect.fnUntraced(function* (message) {
        const { target } = message;
        if (target.channel !== service.name || !("url" in target))
            return yield* wrongTarget(service);
        const url = new URL(target.url);
        for (const [name, value] of Object.entries(service.query ?? {}))
            url.searchParams.set(name, value);
        const request = yield* service.requestOf(message);
        if ("fault" in request)
            return yield* new PermanentError({ code: "invalid_payload", message: request.fault });
        const bytes = Buffer.byteLength(request.body);
        if (service.maxBytes !== undefined && bytes > service.maxBytes) {
            return yield* new PermanentError({
                code: "payload_too_large",
                message: `the message has ${bytes} bytes, ${service.title} accepts ${service.maxBytes}; shorten title, body or data`,
            });
        }
        const headers = { "content-type": "application/json", "content-length": bytes, ...request.headers };
        return yield* classify(service, yield* https.post(url, headers, request.body));
    }),
}));
const classify = Effect.fnUntraced(function* (service, response) {
    const { headers, status, text } = response;
    const message = `${service.title} responded with ${status} ${text.replace(/[\s\p{Cc}]+/gu, " ").slice(0, 300)}`.trim();
    if (status >= 200 && status < 300) {
        const failure = yield* service.hiddenFailure?.(response) ?? Effect.succeed(undefined);
        if (failure !== undefined)
            return yield* Effect.fail(failure);
        const providerId = yield* service.providerIdOf?.(response) ?? Effect.succeed(undefined);
        return providerId === undefined ? {} : { providerId };
    }
    if (status >= 300 && status < 400)
        return yield* new PermanentError({ code: "redirected", message: `${message}; redirects are not followed` });
    const gone = service.goneReason(response);
    if (gone !== undefined)
        return yield* new InvalidTarget({ reason: gone, message });
    if (status === 429)
        return yield* throttled(service, headers, message);
    if (status >= 500 || status === 408) {
        const retryAfterMillis = yield* HttpCall.parseRetryAfter(headers);
        return yield* new TransientError({
            dependency: service.name,
            code: "unavailable",
            message,
            ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }),
        });
    }
    return yield* new PermanentError({ code: status === 413 ? "payload_too_large" : "refused", message });
});
/** The service asks to come back later; without a time after half a minute. */
export const throttled = ({ name }, headers, message) => Effect.flatMap(HttpCall.parseRetryAfter(headers), (retryAfterMillis = defaultRetryAfterMillis) => 
// A burst to one channel takes longer than the attempts of a message; `maxProviderWait` limits it.
Effect.fail(new TransientError({ dependency: name, code: "throttled", message, retryAfterMillis, countsAsAttempt: false })));
const wrongTarget = ({ title }) => new PermanentError({ code: "wrong_recipient", message: `the target is not a webhook of ${title}` });
/** The fields of `data.<channel>`, which replace those that this program writes; a string is a fault. */
export const extraFields = ({ data }, channel) => {
    const extra = data[channel];
    if (extra === undefined)
        return {};
    return isObject(extra) ? extra : `data.${channel} must be an object with fields of the service's message`;
};
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
/** The body as JSON, with the fields of `data.<channel>`. */
export const jsonRequest = (message, channel, fields) => {
    const extra = extraFields(message, channel);
    return Effect.succeed(typeof extra === "string" ? { fault: extra } : { body: JSON.stringify({ ...fields, ...extra }) });
};
