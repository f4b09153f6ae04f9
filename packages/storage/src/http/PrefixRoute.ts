/**
 * A route for everything below one path. The router's wildcard matches at most `maxParamLength` (100) characters by
 * default, and an object key may have 1,024 bytes, so this route matches the path itself.
 */
import { Effect, type Layer } from "effect"
import { HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http"
import { type ProblemError, toResponse } from "./Problem.ts"

export interface RelativeRequest {
  /** The path after the prefix, still percent-encoded. */
  readonly path: string
  readonly query: URLSearchParams
  readonly request: HttpServerRequest.HttpServerRequest
}

/** `prefix` starts and ends with a slash, for example `/objects/`. */
export const prefixRoute = <R>(
  prefix: `/${string}/`,
  make: Effect.Effect<
    (relative: RelativeRequest) => Effect.Effect<HttpServerResponse.HttpServerResponse, ProblemError>,
    never,
    R
  >,
): Layer.Layer<never, never, HttpRouter.HttpRouter | R> =>
  HttpRouter.use((router) =>
    Effect.flatMap(make, (handle) =>
      router.addGlobalMiddleware((others) =>
        Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
          if (!request.url.startsWith(prefix)) return others
          const [path = "", query = ""] = request.url.slice(prefix.length).split(/\?(.*)/s)
          return handle({ path, query: new URLSearchParams(query), request }).pipe(
            Effect.catchTag("ProblemError", (problem) => Effect.succeed(toResponse(problem))),
            Effect.interruptible,
          )
        }),
      ),
    ),
  )
