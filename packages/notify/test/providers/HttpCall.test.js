import { FakePushService } from "@armoricore/testing/fakes/FakePushService";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as HttpCall from "../../src/providers/HttpCall.ts";
const post = { method: "POST", headers: {}, body: "" };
describe("HttpCall", () => {
    it.live("a certificate that does not verify is a transient error", () => Effect.gen(function* () {
        // regression: it was an unknown outcome
        const { subscribe } = yield* FakePushService;
        const error = yield* Effect.flip(HttpCall.call("sendgrid", subscribe().endpoint, post));
        assert.strictEqual(error._tag, "TransientError");
    }).pipe(Effect.provide(FakePushService.layer)));
    it.effect("recognises requests that never left this machine", () => Effect.gen(function* () {
        for (const code of ["ECONNREFUSED", "SELF_SIGNED_CERT_IN_CHAIN", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"]) {
            assert.isTrue(HttpCall.wasNotSent(code), code);
        }
        for (const code of ["ECONNRESET", "UND_ERR_SOCKET", "UND_ERR_HEADERS_TIMEOUT", ""]) {
            assert.isFalse(HttpCall.wasNotSent(code), code);
        }
    }));
    it.effect("reads Retry-After as seconds and as a date", () => Effect.gen(function* () {
        const of = (text) => HttpCall.parseRetryAfter(new Headers({ "retry-after": text }));
        // The test's clock begins with 1970.
        assert.strictEqual(yield* of("120"), 120_000);
        assert.strictEqual(yield* of("Thu, 01 Jan 1970 00:01:00 GMT"), 60_000);
        assert.strictEqual(yield* of("Wed, 31 Dec 1969 00:00:00 GMT"), 0);
        assert.isUndefined(yield* of("soon"));
        assert.isUndefined(yield* of(""));
    }));
});
