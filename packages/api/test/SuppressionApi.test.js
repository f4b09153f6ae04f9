import { hashOfAddress } from "@armoricore/state/SuppressionList";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { HttpClient, HttpClientRequest } from "effect/http";
import { apiServer, sendRequest, signToken } from "./support/ApiServer.ts";
const path = "/v1/suppressions";
describe("/v1/suppressions", () => {
    it.effect("an operator adds, finds, exports and removes an address", () => Effect.gen(function* () {
        const token = yield* signToken("op", "operator");
        const body = JSON.stringify({ address: "Anna@example.org", note: "asked by phone" });
        const added = yield* sendRequest("POST", path, { token, body });
        assert.strictEqual(added.status, 201);
        assert.deepInclude(added.body, {
            hash: hashOfAddress("anna@example.org"),
            reason: "manual",
            source: "op",
            evidence: "asked by phone",
        });
        const more = JSON.stringify({ address: "bert@example.org", reason: "complained", category: "newsletter" });
        yield* sendRequest("POST", path, { token, body: more });
        const found = yield* sendRequest("GET", `${path}?address=anna%40example.org`, { token });
        assert.deepStrictEqual(found.body, { suppressions: [added.body] });
        const first = yield* sendRequest("GET", `${path}?limit=1`, { token });
        const { next } = first.body;
        const second = yield* sendRequest("GET", `${path}?limit=1&after=${next}`, { token });
        assert.notProperty(second.body, "next");
        const byReason = yield* sendRequest("GET", `${path}?reason=complained`, { token });
        assert.deepNestedInclude(byReason.body, { "suppressions[0].category": "newsletter" });
        const csv = yield* HttpClientRequest.get(`${path}/export`).pipe(HttpClientRequest.bearerToken(token), HttpClient.execute);
        assert.match(csv.headers["content-type"] ?? "", /^text\/csv/);
        const lines = (yield* csv.text).trimEnd().split("\r\n");
        assert.strictEqual(lines[0], "hash,category,reason,since,last_at,source,delivery_id,evidence");
        assert.lengthOf(lines, 3);
        const remove = HttpClientRequest.delete(`${path}?address=anna%40example.org`).pipe(HttpClientRequest.bearerToken(token), HttpClient.execute);
        assert.strictEqual((yield* remove).status, 204);
        assert.strictEqual((yield* remove).status, 404);
    }).pipe(Effect.provide(apiServer())));
    it.effect("only operators see or change the list", () => Effect.gen(function* () {
        for (const token of [yield* signToken("u"), yield* signToken("p", "publisher")]) {
            for (const [method, url, body] of [
                ["GET", path, undefined],
                ["GET", `${path}/export`, undefined],
                ["POST", path, '{"address":"anna@example.org"}'],
                ["DELETE", `${path}?address=anna%40example.org`, undefined],
            ]) {
                const answer = yield* sendRequest(method, url, { token, ...(body === undefined ? {} : { body }) });
                assert.strictEqual(answer.status, 403, `${method} ${url}`);
            }
        }
        assert.strictEqual((yield* sendRequest("GET", path)).status, 401);
    }).pipe(Effect.provide(apiServer())));
    it.effect("a wrong value is named", () => Effect.gen(function* () {
        const token = yield* signToken("op", "operator");
        for (const [method, url, body, status, code] of [
            ["POST", path, '{"address":"anna"}', 422, "invalid_address"],
            ["POST", path, "{}", 422, "invalid_address"],
            ["POST", path, '{"address":"a@b.example","reason":"x"}', 422, "invalid"],
            ["POST", path, '{"address":"a@b.example","category":"A"}', 422, "invalid_category"],
            ["POST", path, "{", 400, "undecodable"],
            ["GET", `${path}?limit=0`, undefined, 422, "invalid_limit"],
            ["GET", `${path}?reason=x`, undefined, 422, "invalid_reason"],
            ["GET", `${path}?after=x`, undefined, 422, "invalid_cursor"],
            ["DELETE", path, undefined, 422, "invalid_address"],
            ["DELETE", `${path}?hash=x`, undefined, 422, "invalid_address"],
        ]) {
            const answer = yield* sendRequest(method, url, { token, ...(body === undefined ? {} : { body }) });
            assert.deepInclude(answer.body, { status, code }, `${method} ${url} ${body}`);
        }
    }).pipe(Effect.provide(apiServer())));
});
