/**
 * Every page may use an address that we signed: who holds it is allowed to, and no cookie plays a part. The last two
 * headers keep an uploaded HTML file from running as a page of ours.
 */
import { HttpServerResponse } from "effect/http"

export const corsHeaders: Readonly<Record<string, string>> = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "accept-ranges, content-length, content-range, etag",
  "cross-origin-resource-policy": "cross-origin",
  "x-content-type-options": "nosniff",
  "content-security-policy": "sandbox",
}

/** Answers the question that a browser asks first. */
export const preflight = (methods: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.empty({
    status: 204,
    headers: {
      ...corsHeaders,
      "access-control-allow-methods": methods,
      "access-control-allow-headers":
        "content-type, if-match, if-modified-since, if-none-match, if-range, range, traceparent",
      "access-control-max-age": "86400",
    },
  })
