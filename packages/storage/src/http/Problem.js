import { Data, Effect } from "effect";
import { HttpServerResponse } from "effect/http";
import { corsHeaders } from "./Cors.ts";
export class ProblemError extends Data.TaggedError("ProblemError") {
}
export const toResponse = (problem) => HttpServerResponse.jsonUnsafe({
    type: "about:blank",
    title: problem.title,
    status: problem.status,
    detail: problem.detail,
    code: problem.title.toLowerCase().replaceAll(" ", "_"),
}, {
    status: problem.status,
    contentType: "application/problem+json",
    headers: { ...corsHeaders, "cache-control": "no-store", ...problem.headers },
});
/** The storage's own message is logged; the client receives only what concerns it. */
export const fromStorage = (error) => {
    switch (error._tag) {
        case "NotFound":
            return Effect.fail(new ProblemError({ status: 404, title: "Not Found", detail: "the object does not exist" }));
        case "TransientError":
            return Effect.andThen(Effect.logWarning("the object storage failed", error), Effect.fail(new ProblemError({
                status: 503,
                title: "Service Unavailable",
                detail: "the object storage is unreachable; try again later",
                headers: { "retry-after": String(Math.ceil((error.retryAfterMillis ?? 1000) / 1000)) },
            })));
        case "ConfigurationError":
            return Effect.andThen(Effect.logError("the object storage is misconfigured", error), Effect.fail(new ProblemError({
                status: 500,
                title: "Internal Server Error",
                detail: "the object storage is misconfigured; see the server's log",
            })));
    }
};
