/** What our own routes answer when they refuse: `application/problem+json`, readable by a page of another origin. */
import type { NotFound } from "@armoricore/domain/Errors"
import { Data, Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import type { StorageError } from "../ObjectStorage.ts"
import { corsHeaders } from "./Cors.ts"

export class ProblemError extends Data.TaggedError("ProblemError")<{
  readonly status: number
  readonly title: string
  /** One sentence that says what to do. */
  readonly detail: string
  readonly headers?: Readonly<Record<string, string>>
}> {}

export const toResponse = (problem: ProblemError): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(
    {
      type: "about:blank",
      title: problem.title,
      status: problem.status,
      detail: problem.detail,
      code: problem.title.toLowerCase().replaceAll(" ", "_"),
    },
    {
      status: problem.status,
      contentType: "application/problem+json",
      headers: { ...corsHeaders, "cache-control": "no-store", ...problem.headers },
    },
  )

/** The storage's own words go to the log; who asks learns only what is for them. */
export const fromStorage = (error: NotFound | StorageError): Effect.Effect<never, ProblemError> => {
  switch (error._tag) {
    case "NotFound":
      return Effect.fail(new ProblemError({ status: 404, title: "Not Found", detail: "there is no such object" }))
    case "TransientError":
      return Effect.andThen(
        Effect.logWarning("the object storage failed", error),
        Effect.fail(
          new ProblemError({
            status: 503,
            title: "Service Unavailable",
            detail: "the object storage cannot be reached; try again",
            headers: { "retry-after": String(Math.ceil((error.retryAfterMillis ?? 1000) / 1000)) },
          }),
        ),
      )
    case "ConfigurationError":
      return Effect.andThen(
        Effect.logError("the object storage is set up wrongly", error),
        Effect.fail(
          new ProblemError({
            status: 500,
            title: "Internal Server Error",
            detail: "the object storage is set up wrongly; the operator's log says how",
          }),
        ),
      )
  }
}
