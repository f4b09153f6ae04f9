import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { apiServer, sendRequest, signToken } from "./support/ApiServer.ts";
const path = "/v1/audiences/fans/members";
describe("/v1/audiences/{name}/members", () => {
    it.effect("a backend adds, lists and removes members; wrong input is named", () => Effect.gen(function* () {
        const token = yield* signToken("php", "publisher");
        assert.strictEqual((yield* sendRequest("PUT", `${path}/auth0%7C7`, { token })).status, 204);
        const body = JSON.stringify({ add: ["a", 5], remove: ["auth0|7", "unknown"] });
        const changed = yield* sendRequest("POST", path, { token, body });
        assert.deepStrictEqual(changed.body, { added: 2, removed: 1 });
        const listed = yield* sendRequest("GET", path, { token });
        assert.sameMembers(listed.body.user_ids, ["a", "5"]);
        assert.strictEqual((yield* sendRequest("DELETE", `${path}/a`, { token })).status, 204);
        assert.deepInclude((yield* sendRequest("DELETE", `${path}/a`, { token })).body, { status: 404 });
        const own = yield* signToken("a");
        assert.deepInclude((yield* sendRequest("PUT", `${path}/a`, { token: own })).body, { code: "role_missing" });
        const misnamed = yield* sendRequest("PUT", "/v1/audiences/a%20b/members/a", { token });
        assert.deepInclude(misnamed.body, { status: 422, path: "name" });
        const wrong = yield* sendRequest("POST", path, { token, body: JSON.stringify({ add: ["a b"] }) });
        assert.deepInclude(wrong.body, { status: 422, path: "add.0" });
        assert.deepInclude((yield* sendRequest("GET", `${path}?after=x`, { token })).body, { path: "after" });
    }).pipe(Effect.provide(apiServer())));
});
