/**
 * What a caller is told when a request is refused: `application/problem+json` (RFC 9457) with a sentence in `detail`,
 * a stable `code`, and the `path` of the field where there is one. The one table from errors to statuses.
 */
import type { Unauthorized } from "@armoricore/auth/Tokens"
import type { ConfigurationError, PermanentError, InvalidEvent, TransientError } from "@armoricore/domain/Errors"
import { Effect, Schema } from "effect"
import { HttpServerResponse, ProblemDetails } from "effect/http"

const titles: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not found",
  409: "Conflict",
  413: "Content too large",
  422: "Unprocessable content",
  500: "Internal server error",
  503: "Service unavailable",
}

/** A request is refused with this status. */
export class ProblemError extends Schema.TaggedError<ProblemError>()("ProblemError", {
  status: Schema.Int,
  code: Schema.String,
  /** One sentence that says what to do. */
  detail: Schema.String,
  /** Dotted path of the field at fault. */
  path: Schema.optionalKey(Schema.String),
  retryAfterSeconds: Schema.optionalKey(Schema.Int),
}) {}

export const problem = (status: number, code: string, detail: string, path?: string): ProblemError =>
  new ProblemError({ status, code, detail, ...(path === undefined ? {} : { path }) })

export type ApiError = ProblemError | InvalidEvent | Unauthorized | TransientError | PermanentError | ConfigurationError

const invalidEventStatus: Readonly<Record<InvalidEvent["reason"], number>> = {
  undecodable: 400,
  invalid: 422,
  unknown_type: 422,
  unauthorized: 403,
  bad_signature: 401,
  too_large: 413,
}

const toProblem = (error: ApiError): ProblemError => {
  switch (error._tag) {
    case "ProblemError":
      return error
    case "InvalidEvent":
      return problem(invalidEventStatus[error.reason], error.reason, error.message, error.path)
    case "Unauthorized":
      return problem(401, `token_${error.reason}`, error.message)
    case "PermanentError":
      return problem(error.code === "too_large" ? 413 : 422, error.code, error.message)
    case "TransientError":
      return new ProblemError({
        status: 503,
        code: `${error.dependency}_${error.code}`,
        detail: `${error.message}; try again later`,
        retryAfterSeconds: Math.max(1, Math.ceil((error.retryAfterMillis ?? 5000) / 1000)),
      })
    case "ConfigurationError":
      // What is wrong inside is for the operator's log, not for the caller.
      return new ProblemError({
        status: 503,
        code: "configuration",
        detail: "the server is not configured for this; its operator finds the reason in the log",
        retryAfterSeconds: 60,
      })
  }
}

export const toResponse = (error: ApiError): HttpServerResponse.HttpServerResponse => {
  const { code, detail, path, retryAfterSeconds, status } = toProblem(error)
  const response = ProblemDetails.toResponse({
    type: ProblemDetails.blankType,
    title: titles[status] ?? "Error",
    status,
    detail,
    code,
    ...(path === undefined ? {} : { path }),
  })
  return HttpServerResponse.setHeaders(response, {
    "cache-control": "no-store",
    ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
    ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }),
  })
}

/** Answers every refusal as a problem document; what an operator must see is logged. */
export const catchProblems = <R>(
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, ApiError, R>,
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R> =>
  handler.pipe(
    Effect.tapError((error) =>
      error._tag === "ConfigurationError"
        ? Effect.logError(error.message, { setting: error.setting })
        : error._tag === "TransientError"
          ? Effect.logWarning(error.message, { dependency: error.dependency, code: error.code })
          : Effect.void,
    ),
    Effect.catch((error) => Effect.succeed(toResponse(error))),
  )
