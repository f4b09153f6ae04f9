/** One POST to a URL that a publisher or a user supplied: https alone, and never to a private network (`PublicAddress`). */
import { PermanentError, TransientError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
import * as Https from "node:https";
import { UnknownOutcome } from "../provider/Provider.ts";
import { blockedReason, privateAddressCode, publicLookup } from "./PublicAddress.ts";
const maxTextLength = 1_000;
const maxSockets = 50;
/** The connections end with the scope. Redirects are not followed. */
export const make = ({ dependency, privateEndpoints, server, }) => Effect.map(Effect.acquireRelease(Effect.sync(() => new Https.Agent({
    keepAlive: true,
    maxSockets,
    ...(privateEndpoints === undefined
        ? { lookup: publicLookup }
        : { ca: privateEndpoints.ca, lookup: undefined }),
})), (agent) => Effect.sync(() => agent.destroy())), (agent) => {
    const rejected = (why) => new PermanentError({ code: "endpoint_refused", message: `the URL of ${server} is not called: ${why}` });
    const unavailable = (message) => new TransientError({ dependency, code: "unavailable", message });
    const exchange = (url, headers, body) => Effect.callback((resume) => {
        const request = Https.request(url, { method: "POST", agent, headers: { ...headers } });
        let connected = false;
        request.on("socket", (socket) => {
            // A pooled socket is connected already.
            if (!socket.connecting)
                connected = true;
            else
                socket.once("secureConnect", () => (connected = true));
        });
        request.on("response", (response) => {
            // The whole body is read, so that the connection can be used again.
            let text = "";
            response.setEncoding("utf8");
            response.on("data", (chunk) => {
                if (text.length < maxTextLength)
                    text = `${text}${chunk}`.slice(0, maxTextLength);
            });
            const received = new Headers();
            for (const [header, value] of Object.entries(response.headers)) {
                if (typeof value === "string")
                    received.set(header, value);
            }
            response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, headers: received, text })));
            response.on("error", (cause) => resume(Effect.fail(new UnknownOutcome({ message: cause.message }))));
        });
        request.on("error", (cause) => {
            if (cause.code === privateAddressCode)
                return resume(Effect.fail(rejected("it leads to a private network")));
            return resume(Effect.fail(connected
                ? new UnknownOutcome({ message: `${server} closed the connection: ${cause.message}` })
                : unavailable(`cannot connect to ${server}: ${cause.message}`)));
        });
        request.end(body ?? undefined);
        return Effect.sync(() => request.destroy());
    });
    return {
        post: (url, headers, body) => {
            const blocked = privateEndpoints === undefined ? blockedReason(url) : undefined;
            return blocked === undefined ? exchange(url, headers, body) : Effect.fail(rejected(blocked));
        },
    };
});
