import * as Revocations from "@armoricore/auth/Revocations";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { apiServer, sendRequest, signToken, uploadedEvent } from "./support/ApiServer.ts";
const upload = JSON.stringify({ filename: "a.mp4", content_type: "video/mp4", size: 10 });
const endpoints = [
    ["POST", "/v1/uploads", upload],
    ["POST", "/v1/events", JSON.stringify(uploadedEvent())],
    ["GET", "/v1/media/m1", undefined],
    ["DELETE", "/v1/media/m1", undefined],
    ["POST", "/v1/media/m1/cancel", undefined],
    ["POST", "/v1/media/m1/retry", undefined],
    ["GET", "/v1/notifications/n1", undefined],
];
describe("a revoked token", () => {
    it.live("is rejected by every endpoint with the code token_revoked", () => Effect.gen(function* () {
        const token = yield* signToken("u1", "publisher", "operator");
        const send = ([method, path, body]) => {
            return sendRequest(method, path, { token, ...(body === undefined ? {} : { body }) });
        };
        for (const endpoint of endpoints)
            assert.notStrictEqual((yield* send(endpoint)).status, 401, endpoint[1]);
        yield* (yield* Revocations.Revocations).revoke({ userId: "u1" });
        for (const endpoint of endpoints) {
            const { status, body } = yield* send(endpoint);
            assert.strictEqual(status, 401, endpoint[1]);
            assert.deepInclude(body, { code: "token_revoked", detail: "the token was revoked: log in again" });
        }
        assert.strictEqual((yield* sendRequest("POST", "/v1/uploads", { token: yield* signToken("u2"), body: upload })).status, 201);
    }).pipe(Effect.provide(apiServer())));
});
