import { Effect, Schema } from "effect";
import { HttpServerRespondable, HttpServerResponse, ProblemDetails } from "effect/http";
import { HttpApiSchema } from "effect/http-api";
const titles = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    408: "Request timeout",
    409: "Conflict",
    413: "Content too large",
    415: "Unsupported media type",
    422: "Unprocessable content",
    429: "Too many requests",
    500: "Internal server error",
    503: "Service unavailable",
};
const titleOf = (status) => titles[status] ?? "Error";
/** The error response of a request. An endpoint that does not declare its status still responds with the problem. */
export class ProblemError extends Schema.TaggedError()("ProblemError", {
    status: Schema.Int,
    code: Schema.String,
    /** One sentence that tells the caller what to do. */
    detail: Schema.String,
    /** Dotted path of the wrong field. */
    path: Schema.optionalKey(Schema.String),
    retryAfterSeconds: Schema.optionalKey(Schema.Int),
}) {
    get message() {
        return `${this.code}: ${this.detail}`;
    }
    [HttpServerRespondable.symbol]() {
        return Effect.succeed(toResponse(this));
    }
}
export const problem = (status, code, detail, path) => new ProblemError({ status, code, detail, ...(path === undefined ? {} : { path }) });
const invalidEventStatus = {
    undecodable: 400,
    invalid: 422,
    unknown_type: 422,
    unauthorized: 403,
    bad_signature: 401,
    too_large: 413,
};
const permanentErrorStatus = { too_large: 413, invalid_header: 400 };
const toProblem = (error) => {
    switch (error._tag) {
        case "ProblemError":
            return error;
        case "InvalidEvent":
            return problem(invalidEventStatus[error.reason], error.reason, error.message, error.path);
        case "Unauthorized":
            return problem(401, `token_${error.reason}`, error.message);
        case "PermanentError":
            return problem(permanentErrorStatus[error.code] ?? 422, error.code, error.message);
        case "TransientError":
            return new ProblemError({
                status: 503,
                code: `${error.dependency}_${error.code}`,
                detail: `${error.message}; try again later`,
                retryAfterSeconds: Math.max(1, Math.ceil((error.retryAfterMillis ?? 5000) / 1000)),
            });
        case "ConfigurationError":
            // The cause may name internal resources: the log has it, the response does not.
            return new ProblemError({
                status: 503,
                code: "configuration",
                detail: "the server is not configured for this; its operator finds the reason in the log",
                retryAfterSeconds: 60,
            });
    }
};
const toBody = ({ code, detail, path, status }) => ({
    type: ProblemDetails.blankType,
    title: titleOf(status),
    status,
    detail,
    code,
    ...(path === undefined ? {} : { path }),
});
const toHeaders = ({ retryAfterSeconds, status }) => ({
    "cache-control": "no-store",
    ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
    ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }),
});
export const toResponse = (error) => {
    const details = toProblem(error);
    return HttpServerResponse.setHeaders(ProblemDetails.toResponse(toBody(details)), toHeaders(details));
};
/**
 * Maps each failure to the problem that the caller receives, and logs the failures that an operator must see. A defect is
 * logged too, and its caller receives a problem instead of an empty response.
 */
export const asProblem = (handler) => handler.pipe(Effect.catchDefect((defect) => Effect.andThen(Effect.logError("A request failed with an unexpected error", defect), Effect.fail(problem(500, "internal_error", "the server had an unexpected error; its operator finds it in the log")))), Effect.tapError((error) => error._tag === "ConfigurationError"
    ? Effect.logError(error.message, { setting: error.setting })
    : error._tag === "TransientError"
        ? Effect.logWarning(error.message, { dependency: error.dependency, code: error.code })
        : Effect.void), Effect.mapError(toProblem));
/** The same for a route outside of the HttpApi, which must respond with an `HttpServerResponse`. */
export const catchProblems = (handler) => Effect.catch(asProblem(handler), (error) => Effect.succeed(toResponse(error)));
const ProblemBody = Schema.Struct({
    type: Schema.String,
    title: Schema.String,
    status: Schema.Int,
    detail: Schema.String.annotate({ description: "One sentence that tells the caller what to do." }),
    code: Schema.String.annotate({ description: "Stable: programs may compare it." }),
    path: Schema.optionalKey(Schema.String.annotate({ description: "Dotted path of the wrong field." })),
}).annotate({ identifier: "Problem", title: "Problem details (RFC 9457)" });
/** {@link ProblemError} as an endpoint declares it: one schema for each status that the endpoint responds with. */
const problemSchema = (status) => Schema.toType(ProblemError)
    .check(Schema.makeFilter((error) => error.status === status))
    .pipe(HttpApiSchema.encodeToWithHeaders({
    body: ProblemBody.pipe(HttpApiSchema.asJson({ contentType: ProblemDetails.contentType }), HttpApiSchema.status(status)),
    headers: headerFields(status),
}, {
    decode: ({ body: { code, detail, path }, headers }) => {
        const seconds = Number.parseInt(headers["retry-after"] ?? "", 10);
        return new ProblemError({
            status,
            code,
            detail,
            ...(path === undefined ? {} : { path }),
            ...(Number.isNaN(seconds) ? {} : { retryAfterSeconds: seconds }),
        });
    },
    encode: (error) => ({ body: toBody(error), headers: toHeaders(error) }),
}))
    .annotate({ description: titles[status] });
const headerFields = (status) => ({
    "cache-control": optionalText,
    ...(status === 401 ? { "www-authenticate": optionalText } : {}),
    ...(status === 503 ? { "retry-after": optionalText } : {}),
});
const optionalText = Schema.optionalKey(Schema.String);
const problemSchemas = new Map();
/** The errors of an endpoint. One schema object for each status: the OpenAPI document has equal ones only once. */
export const problems = (...statuses) => statuses.map((status) => {
    const schema = problemSchemas.get(status) ?? problemSchema(status);
    problemSchemas.set(status, schema);
    return schema;
});
