/**
 * The OpenAPI 3.1 document of all public HTTP routes. `npm run docs:openapi` writes it to `docs/openapi.json`, and
 * `GET /openapi.json` serves it.
 */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { OpenApi } from "effect/http-api"
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts"
import { OperationsApi, WebhookApi } from "./contract/OperationsApi.ts"

export const text = (): string =>
  `${JSON.stringify(OpenApi.fromApi(ArmoricoreApi.add(WebhookApi).add(OperationsApi)), null, 2)}\n`

export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter> = Layer.unwrap(
  // Generated at the first request: most processes never get one.
  Effect.map(Effect.cached(Effect.sync(text)), (document) =>
    HttpRouter.add(
      "GET",
      "/openapi.json",
      Effect.map(document, (json) => HttpServerResponse.text(json, { contentType: "application/json" })),
    ),
  ),
)
