import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { apiServer, sendRequest } from "./support/ApiServer.ts";
describe("an unknown route", () => {
    it.live("responds with a problem document for every method", () => Effect.gen(function* () {
        for (const [method, path] of [
            ["GET", "/"],
            ["GET", "/v1/uploads"],
            ["POST", "/v2/events"],
        ]) {
            const response = yield* sendRequest(method, path);
            assert.strictEqual(response.status, 404, path);
            assert.propertyVal(response.body, "code", "no_route");
            assert.match(response.headers["content-type"] ?? "", /^application\/problem\+json/);
        }
    }).pipe(Effect.provide(apiServer())));
});
