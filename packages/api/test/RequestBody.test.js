import { assert, describe, it } from "@effect/vitest";
import { Effect, Fiber } from "effect";
import { HttpServerRequest } from "effect/http";
import { TestClock } from "effect/testing";
import * as RequestBody from "../src/RequestBody.ts";
const limit = 1_048_576;
/** Node requires it for a body that is a stream; the type of the DOM lacks it. */
const streamed = (options) => Object.assign(options, { duplex: "half" });
const request = (body, headers = {}) => HttpServerRequest.fromWeb(new Request("http://localhost/v1/events", streamed({ method: "POST", body, headers })));
describe("RequestBody", () => {
    it.effect("returns the bytes of a body", () => Effect.gen(function* () {
        assert.deepStrictEqual(yield* RequestBody.bytes(request("{}"), limit), new TextEncoder().encode("{}"));
    }));
    // regression: the response was 400 "not valid UTF-8"
    it.effect("answers 415 to a compressed body, and names the encoding", () => Effect.gen(function* () {
        const error = yield* Effect.flip(RequestBody.bytes(request("{}", { "content-encoding": "gzip" }), limit));
        assert.deepStrictEqual([error.status, error.code], [415, "unsupported_encoding"]);
        assert.include(error.detail, "gzip");
    }));
    // regression: a slow body held its connection for minutes
    it.effect("answers 408 to a body that does not arrive in time", () => Effect.gen(function* () {
        const endless = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array([123])) });
        const fiber = yield* Effect.forkChild(Effect.flip(RequestBody.bytes(request(endless), limit)));
        yield* TestClock.adjust("31 seconds");
        const error = yield* Fiber.join(fiber);
        assert.deepStrictEqual([error.status, error.code], [408, "too_slow"]);
    }));
});
