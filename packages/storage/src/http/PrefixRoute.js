/**
 * A route for everything below one path. The router's wildcard matches at most `maxParamLength` (100) characters by
 * default, and an object key may have 1,024 bytes, so this route matches the path itself.
 */
import { Effect } from "effect";
import { HttpRouter, HttpServerRequest } from "effect/http";
import { toResponse } from "./Problem.ts";
/** `prefix` starts and ends with a slash, for example `/objects/`. */
export const prefixRoute = (prefix, make) => HttpRouter.use((router) => Effect.flatMap(make, (handle) => router.addGlobalMiddleware((others) => Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    if (!request.url.startsWith(prefix))
        return others;
    const [path = "", query = ""] = request.url.slice(prefix.length).split(/\?(.*)/s);
    return handle({ path, query: new URLSearchParams(query), request }).pipe(Effect.catchTag("ProblemError", (problem) => Effect.succeed(toResponse(problem))), Effect.interruptible);
}))));
