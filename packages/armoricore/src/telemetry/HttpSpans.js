/** Span names of HTTP requests: by route, so that traces of one kind have one name. */
import { Layer } from "effect";
import { HttpMiddleware } from "effect/http";
/** Probes request these every few seconds. */
const untracedPaths = new Set(["/healthz", "/readyz", "/metrics"]);
const pathOf = ({ url }) => url.split(/[?#]/, 1)[0] ?? "";
/** The path after these prefixes is an object key, a token or an id. */
const parameterizedRoutes = [
    /^\/(objects|play)\//,
    /^\/v1\/(media|notifications|transcripts|uploads)\/[^/]+(?=\/|$)/,
    /^\/(?:unsubscribe|mailbox)\//,
];
export const spanName = (request) => {
    const path = pathOf(request);
    for (const route of parameterizedRoutes) {
        const [start] = route.exec(path) ?? [];
        if (start === undefined)
            continue;
        const fixed = start.endsWith("/") ? start : start.slice(0, start.lastIndexOf("/") + 1);
        return `${request.method} ${fixed}:id${start.endsWith("/") ? "" : path.slice(start.length)}`;
    }
    // An unknown path may be anything, so only short and simple ones become a name.
    return path.length <= 40 && /^\/[a-z0-9/_-]*$/.test(path) ? `${request.method} ${path}` : request.method;
};
export const layer = Layer.mergeAll(Layer.succeed(HttpMiddleware.SpanNameGenerator, spanName), Layer.succeed(HttpMiddleware.TracerDisabledWhen, (request) => untracedPaths.has(pathOf(request))));
