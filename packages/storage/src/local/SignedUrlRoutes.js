/**
 * Serves the presigned URLs of adapters without a server: `GET`, `HEAD` and `PUT` below `/objects/`. A body that does
 * not match the signature leaves nothing behind.
 */
import { Data, Effect, Stream } from "effect";
import { HttpServerResponse } from "effect/http";
import { corsHeaders, preflight } from "../http/Cors.ts";
import { prefixRoute } from "../http/PrefixRoute.ts";
import { fromStorage, ProblemError } from "../http/Problem.ts";
import { serveObject } from "../http/ServeObject.ts";
import { invalidReason } from "../ObjectKey.ts";
import { ObjectStorage } from "../ObjectStorage.ts";
import { ObjectSigner } from "./ObjectSigner.ts";
export const routes = (options = {}) => prefixRoute("/objects/", Effect.gen(function* () {
    const storage = yield* ObjectStorage;
    const signer = yield* ObjectSigner;
    const maxBytes = options.maxBytes ?? 5 * 1024 ** 3;
    const verifiedGrant = (method, { path, query }) => signer.verify(method, path, query).pipe(Effect.mapError(rejectionProblem), Effect.filterOrFail((claim) => invalidReason(claim) === undefined, () => rejectionProblem("malformed")));
    const upload = Effect.fnUntraced(function* (relative) {
        const grant = yield* verifiedGrant("PUT", relative);
        const { headers } = relative.request;
        if (grant.contentType !== undefined && headers["content-type"] !== grant.contentType) {
            return yield* new ProblemError({
                status: 400,
                title: "Bad Request",
                detail: `the header content-type must be ${grant.contentType}, as signed`,
            });
        }
        const declared = headers["content-length"];
        if (declared !== undefined)
            yield* checkSize(Number(declared), grant.size, maxBytes);
        const info = yield* storage
            .put(grant, sizeChecked(relative.request, grant.size, maxBytes), {
            contentType: grant.contentType ?? "application/octet-stream",
        })
            .pipe(Effect.catchTag(["TransientError", "ConfigurationError"], fromStorage), Effect.catchTag("InvalidBody", ({ problem }) => Effect.fail(problem)));
        return HttpServerResponse.empty({ status: 200, headers: { ...corsHeaders, etag: `"${info.etag}"` } });
    });
    return (below) => {
        switch (below.request.method) {
            case "OPTIONS":
                return Effect.succeed(preflight("GET, HEAD, PUT"));
            case "GET":
            case "HEAD":
                return Effect.flatMap(verifiedGrant("GET", below), (claim) => serveObject(storage, claim, below.request, { cacheControl: "private, no-cache" }));
            case "PUT":
                return upload(below);
            default:
                return Effect.fail(new ProblemError({
                    status: 405,
                    title: "Method Not Allowed",
                    detail: "objects are read with GET and HEAD and written with PUT",
                    headers: { allow: "GET, HEAD, PUT, OPTIONS" },
                }));
        }
    };
}));
/** A problem inside `put`, distinct from the storage's own failures. */
class InvalidBody extends Data.TaggedError("InvalidBody") {
}
const checkSize = (size, signed, maxBytes) => {
    if (size > (signed ?? maxBytes)) {
        return Effect.fail(new ProblemError({
            status: 413,
            title: "Content Too Large",
            detail: `the body exceeds ${signed ?? maxBytes} bytes`,
        }));
    }
    if (signed !== undefined && size < signed) {
        return Effect.fail(new ProblemError({
            status: 400,
            title: "Bad Request",
            detail: `the body must have ${signed} bytes, as signed; received ${size}`,
        }));
    }
    return Effect.void;
};
/** The request's body: fails as soon as it is too long, and at its end if it is too short. */
const sizeChecked = (request, signed, maxBytes) => Stream.suspend(() => {
    let size = 0;
    const toInvalidBody = (problem) => new InvalidBody({ problem });
    const expected = signed ??
        (request.headers["content-length"] === undefined ? undefined : Number(request.headers["content-length"]));
    return request.stream.pipe(Stream.mapError(() => toInvalidBody(new ProblemError({ status: 400, title: "Bad Request", detail: "the body ended early; send it again" }))), Stream.tap((chunk) => {
        size += chunk.byteLength;
        return size > (expected ?? maxBytes)
            ? Effect.mapError(checkSize(size, expected, maxBytes), toInvalidBody)
            : Effect.void;
    }), Stream.concat(Stream.unwrap(Effect.suspend(() => Effect.as(Effect.mapError(checkSize(size, expected, maxBytes), toInvalidBody), Stream.empty)))));
});
const rejectionProblem = (why) => {
    switch (why) {
        case "malformed":
            return new ProblemError({
                status: 400,
                title: "Bad Request",
                detail: "the URL was not signed by this server",
            });
        case "bad_signature":
            return new ProblemError({
                status: 403,
                title: "Forbidden",
                detail: "the signature does not match the URL; request a new one",
            });
        case "expired":
            return new ProblemError({ status: 403, title: "Forbidden", detail: "the URL has expired; request a new one" });
    }
};
