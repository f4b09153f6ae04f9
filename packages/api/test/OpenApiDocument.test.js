import { readFileSync } from "node:fs";
import * as OpenApiDocument from "@armoricore/api/OpenApiDocument";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Schema } from "effect";
import { apiServer, sendRequest } from "./support/ApiServer.ts";
const Document = Schema.fromJsonString(Schema.Struct({
    openapi: Schema.String,
    paths: Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.Struct({ responses: Schema.Record(Schema.String, Schema.Unknown) }))),
    components: Schema.Struct({ schemas: Schema.Record(Schema.String, Schema.Unknown) }),
}));
describe("docs/openapi.json", () => {
    it("is current (npm run docs:openapi writes it)", () => {
        const file = readFileSync(new URL("../../../docs/openapi.json", import.meta.url), "utf8");
        assert.strictEqual(file, OpenApiDocument.text());
    });
    it("has every route, and every reference resolves", () => {
        const { components, openapi, paths } = Schema.decodeSync(Document)(OpenApiDocument.text());
        assert.match(openapi, /^3\.1/);
        for (const path of ["/v1/events", "/v1/uploads", "/v1/media/{id}", "/v1/notifications/{id}", "/healthz"]) {
            assert.property(paths, path);
        }
        const references = OpenApiDocument.text().matchAll(/"#\/components\/schemas\/([^"]+)"/g);
        for (const [, name = ""] of references)
            assert.property(components.schemas, name);
        assert.notProperty(components.schemas, "Problem_1", "the problem has one schema");
    });
});
describe("GET /openapi.json", () => {
    it.live("serves the document without a token", () => Effect.gen(function* () {
        const { body, headers, status } = yield* sendRequest("GET", "/openapi.json");
        assert.strictEqual(status, 200);
        assert.strictEqual(headers["content-type"], "application/json");
        assert.deepStrictEqual(body, JSON.parse(OpenApiDocument.text()));
    }).pipe(Effect.provide(apiServer())));
});
