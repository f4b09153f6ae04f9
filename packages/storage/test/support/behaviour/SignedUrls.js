/** Signed URLs that a browser uses. */
import { assert } from "@effect/vitest";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Duration, Effect } from "effect";
import { TestClock } from "effect/testing";
import { bodyOf, fresh, putText, read, refOf, request } from "./Harness.ts";
/** As if it had been asked for an hour ago. */
const anHourAgo = (self) => Effect.andThen(TestClock.setTime(Date.now() - 3_600_000), self).pipe(Effect.provide(TestClock.layer()));
export const signedUrlBehaviour = (it, traits) => {
    it.effect("hands out addresses that a browser reads from", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const ref = yield* fresh("page.txt");
        yield* putText(ref, "0123456789");
        const signed = yield* store.presignGet(ref, { expiresIn: Duration.minutes(5) });
        assert.strictEqual(signed.method, "GET");
        assert.isBelow(Math.abs(signed.expiresAt - Date.now() - 300_000), 10_000);
        const whole = yield* request(signed.url, { headers: signed.headers });
        assert.strictEqual(whole.status, 200);
        assert.strictEqual(whole.headers.get("content-type"), "text/plain");
        assert.strictEqual(yield* bodyOf(whole), "0123456789");
        const part = yield* request(signed.url, { headers: { range: "bytes=2-4" } });
        assert.strictEqual(part.status, 206);
        assert.strictEqual(part.headers.get("content-range"), "bytes 2-4/10");
        assert.strictEqual(yield* bodyOf(part), "234");
        const other = yield* request(signed.url, { method: "PUT", body: "x" });
        assert.isAtLeast(other.status, 400);
        assert.strictEqual(yield* read(ref), "0123456789");
    }));
    it.effect("hands out addresses that a browser writes to", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const ref = yield* fresh("upload.mp4");
        const signed = yield* store.presignPut(ref, {
            expiresIn: Duration.minutes(5),
            contentType: "video/mp4",
            size: 5,
        });
        assert.strictEqual(signed.method, "PUT");
        assert.deepStrictEqual(signed.headers, { "content-type": "video/mp4" });
        const done = yield* request(signed.url, { method: "PUT", headers: signed.headers, body: "12345" });
        assert.strictEqual(done.status, 200);
        const info = yield* store.head(ref);
        assert.deepInclude(info, { size: 5, contentType: "video/mp4" });
        assert.strictEqual(yield* read(ref), "12345");
    }));
    it.effect("refuses an upload of another type or size than signed, and keeps nothing of it", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const ref = yield* fresh("upload.mp4");
        const signed = yield* store.presignPut(ref, {
            expiresIn: Duration.minutes(5),
            contentType: "video/mp4",
            size: 5,
        });
        const attempts = [
            { headers: { "content-type": "text/html" }, body: "12345" },
            { headers: {}, body: new Uint8Array(5) },
            { headers: signed.headers, body: "123456" },
            { headers: signed.headers, body: "1234" },
            { headers: signed.headers, body: "" },
        ];
        for (const attempt of attempts) {
            const answer = yield* request(signed.url, { method: "PUT", ...attempt });
            assert.isAtLeast(answer.status, 400);
            assert.isBelow(answer.status, 500);
            yield* bodyOf(answer);
            assert.strictEqual((yield* Effect.flip(store.head(ref)))._tag, "NotFound");
        }
    }));
    it.effect("takes an object in parts that a browser writes, and shows it once it is complete", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const ref = yield* fresh("parts.mp4");
        const uploadId = yield* store.createMultipartUpload(ref, { contentType: "video/mp4" });
        const sizes = [5 * 1024 * 1024, 7];
        const parts = yield* Effect.forEach(sizes, (size, index) => Effect.gen(function* () {
            const part = { number: index + 1, size, expiresIn: Duration.minutes(5) };
            const signed = yield* store.presignPart(ref, uploadId, part);
            assert.strictEqual(signed.method, "PUT");
            const tooLong = yield* request(signed.url, { method: "PUT", body: new Uint8Array(size + 1) });
            assert.isAtLeast(tooLong.status, 400);
            const body = new Uint8Array(size).fill(index + 1);
            const done = yield* request(signed.url, { method: "PUT", headers: signed.headers, body });
            assert.strictEqual(done.status, 200);
            return { number: part.number, etag: done.headers.get("etag") ?? "" };
        }));
        assert.strictEqual((yield* Effect.flip(store.head(ref)))._tag, "NotFound");
        const info = yield* store.completeMultipartUpload(ref, uploadId, parts);
        assert.deepInclude(info, { size: 5 * 1024 * 1024 + 7, contentType: "video/mp4" });
        assert.strictEqual(yield* read(ref, { start: 5 * 1024 * 1024 - 1 }), "\u0001" + "\u0002".repeat(7));
        if (traits.trusting === true)
            return;
        assert.strictEqual((yield* Effect.flip(store.completeMultipartUpload(ref, uploadId, parts)))._tag, "NotFound");
    }));
    it.effect("keeps nothing of an upload in parts that is given up or has a wrong part", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const ref = yield* fresh("parts.mp4");
        const uploadId = yield* store.createMultipartUpload(ref, { contentType: "video/mp4" });
        const part = { number: 1, size: 3, expiresIn: Duration.minutes(5) };
        const signed = yield* store.presignPart(ref, uploadId, part);
        const done = yield* request(signed.url, { method: "PUT", headers: signed.headers, body: "abc" });
        assert.strictEqual(done.status, 200);
        const wrong = [{ number: 1, etag: '"00000000000000000000000000000000"' }];
        if (traits.trusting === true)
            return;
        assert.strictEqual((yield* Effect.flip(store.completeMultipartUpload(ref, uploadId, wrong)))._tag, "NotFound");
        yield* store.abortMultipartUpload(ref, uploadId);
        yield* store.abortMultipartUpload(ref, uploadId);
        const right = [{ number: 1, etag: done.headers.get("etag") ?? "" }];
        assert.strictEqual((yield* Effect.flip(store.completeMultipartUpload(ref, uploadId, right)))._tag, "NotFound");
        assert.strictEqual((yield* Effect.flip(store.head(ref)))._tag, "NotFound");
    }));
    it.effect("refuses addresses that have expired or were changed", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const ref = yield* fresh("secret.txt");
        const other = refOf(ref.key.replace("secret", "other"));
        yield* putText(ref, "secret");
        yield* putText(other, "other");
        const expiresIn = Duration.minutes(5);
        const late = yield* anHourAgo(store.presignGet(ref, { expiresIn }));
        const latePut = yield* anHourAgo(store.presignPut(ref, { expiresIn, contentType: "text/plain" }));
        const signed = yield* store.presignGet(ref, { expiresIn });
        const refused = [
            late.url,
            signed.url.replace("secret.txt", "other.txt"),
            signed.url.replace(/([Ss])ignature=.../, "$1ignature=AAA"),
            signed.url.replace(/([Ee])xpires=([0-9]+)/, "$1xpires=9$2"),
        ];
        for (const url of refused) {
            assert.notStrictEqual(url, signed.url);
            const answer = yield* request(url);
            assert.include([400, 401, 403], answer.status, url);
            assert.notInclude(yield* bodyOf(answer), "secret\n");
        }
        const put = yield* request(latePut.url, { method: "PUT", headers: latePut.headers, body: "changed" });
        assert.strictEqual(put.status, 403);
        assert.strictEqual(yield* read(ref), "secret");
    }));
};
