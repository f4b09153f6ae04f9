/**
 * A route for everything below one path. The router's own wildcard gives up at `maxParamLength`, 100 characters unless
 * whoever builds the server thinks of it, and an object's key may have 1,024 bytes; so this looks at the path itself.
 */
import { Effect, type Layer } from "effect"
import { HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http"
import { type ProblemError, toResponse } from "./Problem.ts"

export interface RelativeRequest {
  /** What follows the prefix, still percent-encoded. */
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
