/** Answers GET and HEAD with an object of any adapter, streamed, with ranges, conditions and cache control. */
import { Effect } from "effect";
import { HttpServerResponse } from "effect/http";
import { parseRange } from "./RequestedRange.ts";
import { corsHeaders } from "./Cors.ts";
import { fromStorage, ProblemError } from "./Problem.ts";
export const serveObject = (storage, ref, request, options) => Effect.gen(function* () {
    const rangeHeader = request.headers["range"];
    const condition = request.headers["if-none-match"];
    // Players mostly request whole segments without conditions: this path costs one request to the storage.
    if (request.method === "GET" && rangeHeader === undefined && condition === undefined) {
        const { info, body } = yield* storage.get(ref);
        return HttpServerResponse.stream(body, { ...fields(info, options), contentLength: info.size });
    }
    const info = yield* storage.head(ref);
    const known = fields(info, options);
    if (condition !== undefined && matchesEtag(condition, info.etag)) {
        return HttpServerResponse.empty({ status: 304, headers: known.headers });
    }
    const ifRange = request.headers["if-range"];
    const range = ifRange === undefined || ifRange === quotedEtag(info.etag) ? parseRange(rangeHeader, info.size) : "whole";
    if (range === "unsatisfiable") {
        return yield* new ProblemError({
            status: 416,
            title: "Range Not Satisfiable",
            detail: `the object has ${info.size} bytes; request a range within them`,
            headers: { "content-range": `bytes */${info.size}` },
        });
    }
    const partial = range !== "whole";
    const length = partial ? range.end - range.start + 1 : info.size;
    const answer = {
        contentType: known.contentType,
        status: partial ? 206 : 200,
        headers: partial
            ? { ...known.headers, "content-range": `bytes ${range.start}-${range.end}/${info.size}` }
            : known.headers,
    };
    if (request.method === "HEAD") {
        return HttpServerResponse.empty({
            status: answer.status,
            headers: { ...answer.headers, "content-type": answer.contentType, "content-length": String(length) },
        });
    }
    const found = yield* partial ? storage.get(ref, range) : storage.get(ref);
    if (found.info.etag !== info.etag) {
        return yield* new ProblemError({
            status: 503,
            title: "Service Unavailable",
            detail: "the object was replaced during the request; send it again",
            headers: { "retry-after": "1" },
        });
    }
    return HttpServerResponse.stream(found.body, { ...answer, contentLength: length });
}).pipe(Effect.catchTag(["NotFound", "TransientError", "ConfigurationError"], fromStorage));
const fields = (info, options) => ({
    contentType: info.contentType,
    headers: {
        ...corsHeaders,
        "accept-ranges": "bytes",
        "cache-control": info.cacheControl ?? options.cacheControl,
        ...(info.contentDisposition === undefined ? {} : { "content-disposition": info.contentDisposition }),
        etag: quotedEtag(info.etag),
        "last-modified": new Date(info.modifiedAt).toUTCString(),
    },
});
const quotedEtag = (etag) => `"${etag}"`;
const matchesEtag = (condition, etag) => condition.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === quotedEtag(etag));
