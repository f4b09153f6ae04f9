/**
 * Responds to unknown routes with a problem document. A middleware, not a wildcard route: a wildcard would shadow the
 * implicit `HEAD` of the `GET` routes, and the route of `/`.
 */
import { Effect } from "effect";
import { HttpRouter, HttpServerError } from "effect/http";
import { problem, toResponse } from "./Problem.ts";
const notFound = toResponse(problem(404, "no_route", "there is nothing under this method and path"));
export const layer = HttpRouter.use((router) => router.addGlobalMiddleware((routes) => Effect.catch(routes, (error) => HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"
    ? Effect.succeed(notFound)
    : // The router responds to every other error.
        Effect.fail(error))));
