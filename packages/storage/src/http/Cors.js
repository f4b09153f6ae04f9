/**
 * Any origin may use a signed URL: its holder is authorised, and no cookie is involved. The last two headers keep an
 * uploaded HTML file from running with this server's origin.
 */
import { HttpServerResponse } from "effect/http";
export const corsHeaders = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "accept-ranges, content-length, content-range, etag",
    "cross-origin-resource-policy": "cross-origin",
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox",
};
/** Answers the preflight request. */
export const preflight = (methods) => HttpServerResponse.empty({
    status: 204,
    headers: {
        ...corsHeaders,
        "access-control-allow-methods": methods,
        "access-control-allow-headers": "content-type, if-match, if-modified-since, if-none-match, if-range, range, traceparent",
        "access-control-max-age": "86400",
    },
});
