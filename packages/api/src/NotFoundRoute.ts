/**
 * What has no route is told so like every other refusal. No wildcard route: it would take `HEAD` away from the `GET`
 * routes, and the root.
 */
import { Effect } from "effect"
import { HttpRouter, HttpServerError } from "effect/http"
import { problem, toResponse } from "./Problem.ts"

const noRoute = toResponse(problem(404, "no_route", "there is nothing under this method and path"))

export const layer = HttpRouter.use((router) =>
  router.addGlobalMiddleware((others) =>
    Effect.catch(others, (error: unknown) =>
      HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"
        ? Effect.succeed(noRoute)
        : // What it was before; the router answers it.
          Effect.fail(error),
    ),
  ),
)
