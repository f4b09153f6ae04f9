/** CORS of the API for pages of other origins (`ALLOWED_ORIGINS`). The routes of signed URLs set their own headers. */
import { Effect, Layer } from "effect"
import { HttpMiddleware, HttpRouter, HttpServerRequest } from "effect/http"
import * as TusHandlers from "./tus/TusHandlers.ts"

/** `*` stands for every origin. Without an origin nothing changes. */
export const layer = (origins: ReadonlyArray<string>): Layer.Layer<never, never, HttpRouter.HttpRouter> => {
  if (origins.length === 0) return Layer.empty
  const withCors = HttpMiddleware.cors({
    allowedOrigins: origins.includes("*") ? () => true : (origin) => origins.includes(origin),
    allowedMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    allowedHeaders: ["authorization", "content-type", "traceparent", ...TusHandlers.requestHeaders],
    exposedHeaders: TusHandlers.responseHeaders,
    maxAge: 86_400,
  })
  return HttpRouter.use((router) =>
    router.addGlobalMiddleware((routes) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        // An OPTIONS that is no preflight asks what the uploads support.
        !request.url.startsWith("/v1/") ||
        (request.method === "OPTIONS" && request.headers["access-control-request-method"] === undefined)
          ? routes
          : withCors(routes),
      ),
    ),
  )
}
