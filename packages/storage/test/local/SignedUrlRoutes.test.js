import { connect } from "node:net";
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { PublicUrl } from "@armoricore/storage/PublicUrl";
import { assert, layer } from "@effect/vitest";
import { Deferred, Duration, Effect } from "effect";
import { objectServer } from "../support/ObjectServer.ts";
const expiresIn = Duration.minutes(5);
const request = (url, init) => Effect.promise(() => fetch(url, init));
const bodyOf = (response) => Effect.promise(() => response.text());
layer(objectServer(MemoryStorage.layerNoDeps()), { excludeTestServices: true })("LocalObjects", (it) => {
    it.effect("answers a browser's question before an upload", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const signed = yield* store.presignPut({ bucket: "media", key: "a" }, { expiresIn, contentType: "video/mp4" });
        const answer = yield* request(signed.url, {
            method: "OPTIONS",
            headers: { origin: "https://example.com", "access-control-request-method": "PUT" },
        });
        assert.strictEqual(answer.status, 204);
        assert.include(answer.headers.get("access-control-allow-methods"), "PUT");
        assert.include(answer.headers.get("access-control-allow-headers"), "content-type");
    }));
    it.effect("leads nowhere but to what was signed", () => Effect.gen(function* () {
        const base = yield* (yield* PublicUrl).get;
        for (const path of [
            "media/a",
            "media/..%2f..%2fetc%2fpasswd?expires=9999999999&signature=AAAA",
            "..%2f..%2fetc/passwd?expires=9999999999&signature=AAAA",
            "media",
            "",
            "%zz/%zz?expires=1&signature=x",
            "media/a?expires=soon&signature=x",
            "media/a?expires=9999999999",
        ]) {
            const answer = yield* request(`${base}/objects/${path}`);
            assert.include([400, 403], answer.status, path);
            assert.strictEqual(answer.headers.get("content-type"), "application/problem+json");
            yield* bodyOf(answer);
        }
        const removed = yield* request(`${base}/objects/media/a`, { method: "DELETE" });
        assert.strictEqual(removed.status, 405);
    }));
    it.effect("counts a body that does not say how long it is", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const ref = { bucket: "media", key: "chunked" };
        const signed = yield* store.presignPut(ref, { expiresIn, contentType: "video/mp4", size: 10 });
        const chunked = (chunks) => {
            let left = chunks;
            return new ReadableStream({
                pull: (controller) => {
                    if (left-- > 0)
                        controller.enqueue(new Uint8Array(5));
                    else
                        controller.close();
                },
            });
        };
        // `duplex` is missing in the DOM's types and needed by Node's fetch for a stream.
        const put = (chunks) => {
            const init = { method: "PUT", headers: signed.headers, body: chunked(chunks), duplex: "half" };
            return request(signed.url, init);
        };
        assert.strictEqual((yield* put(1)).status, 400);
        assert.strictEqual((yield* Effect.flip(store.head(ref)))._tag, "NotFound");
        assert.strictEqual((yield* put(3)).status, 413);
        assert.strictEqual((yield* Effect.flip(store.head(ref)))._tag, "NotFound");
        assert.strictEqual((yield* put(2)).status, 200);
        assert.strictEqual((yield* store.head(ref)).size, 10);
    }));
    it.effect("stores nothing of an upload whose connection closes early", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const ref = { bucket: "media", key: "broken-off" };
        const signed = new URL((yield* store.presignPut(ref, { expiresIn, contentType: "video/mp4" })).url);
        const closed = yield* Deferred.make();
        const socket = connect(Number(signed.port), signed.hostname);
        socket.on("close", () => Deferred.doneUnsafe(closed, Effect.void));
        socket.write(`PUT ${signed.pathname}${signed.search} HTTP/1.1\r\nHost: ${signed.host}\r\nContent-Type: video/mp4\r\nContent-Length: 100\r\n\r\nhalf`, () => socket.destroy());
        yield* Deferred.await(closed);
        // The same object again, whole: by then the first one is settled.
        const whole = yield* request(signed.href, {
            method: "PUT",
            headers: { "content-type": "video/mp4" },
            body: "whole",
        });
        assert.strictEqual(whole.status, 200);
        assert.strictEqual((yield* store.head(ref)).size, 5);
    }));
});
