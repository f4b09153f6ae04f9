/**
 * The OpenAPI 3.1 document of all public HTTP routes. `npm run docs:openapi` writes it to `docs/openapi.json`, and
 * `GET /openapi.json` serves it.
 */
import { Effect, Layer } from "effect";
import { HttpRouter, HttpServerResponse } from "effect/http";
import { OpenApi } from "effect/http-api";
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts";
import { OperationsApi, WebhookApi } from "./contract/OperationsApi.ts";
const document = ArmoricoreApi.add(WebhookApi).add(OperationsApi);
/** The generator numbers the problem schemas, one for each status. Their bodies are equal, so one is enough. */
const mergeProblemSchemas = (json) => json.replaceAll(/"#\/components\/schemas\/Problem_\d+"/g, problemRef);
const problemRef = '"#/components/schemas/Problem"';
export const text = () => {
    const { components, ...spec } = OpenApi.fromApi(document);
    const schemas = Object.entries(components.schemas).filter(([name]) => !/^Problem_\d+$/.test(name));
    const merged = { ...spec, components: { ...components, schemas: Object.fromEntries(schemas) } };
    return mergeProblemSchemas(`${JSON.stringify(merged, null, 2)}\n`);
};
export const layer = Layer.unwrap(
// Generated at the first request: most processes never get one.
Effect.map(Effect.cached(Effect.sync(text)), (document) => HttpRouter.add("GET", "/openapi.json", Effect.map(document, (json) => HttpServerResponse.text(json, { contentType: "application/json" })))));
