import { assert, describe, it } from "@effect/vitest";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import * as S3Storage from "@armoricore/storage/s3/S3Storage";
import * as FakeHttpServer from "@armoricore/testing/fakes/FakeHttpServer";
import { Effect, Redacted, Stream } from "effect";
/** A storage whose server gives scripted responses. */
const answering = (answer) => Effect.map(FakeHttpServer.listenHttp(({ method, path }) => answer(new URL(path, "http://s3"), method)), (endpoint) => S3Storage.layer({
    endpoint,
    region: "eu-west-3",
    accessKey: "key",
    secretKey: Redacted.make("secret"),
    maxAttempts: 1,
}));
const xml = (code) => `<?xml version="1.0"?><Error><Code>${code}</Code><Message>said so</Message></Error>`;
const ref = { bucket: "media", key: "a" };
const putFault = (answer) => Effect.gen(function* () {
    const layer = yield* answering(() => answer);
    return yield* Effect.flatMap(ObjectStorage, (store) => Effect.flip(store.put(ref, new Uint8Array(1), { contentType: "a/b" }))).pipe(Effect.provide(layer));
});
describe("S3Storage", () => {
    it.live("lists page after page", () => Effect.gen(function* () {
        const page = (keys, more) => `<?xml version="1.0"?><ListBucketResult>${more}${keys
            .map((key) => `<Contents><Key>${key}</Key><Size>1</Size><ETag>"e"</ETag></Contents>`)
            .join("")}</ListBucketResult>`;
        const layer = yield* answering((url) => ({
            status: 200,
            headers: { "content-type": "application/xml" },
            body: url.searchParams.get("continuation-token") === "next"
                ? page(["c &amp; d"], "<IsTruncated>false</IsTruncated>")
                : page(["a", "b"], "<IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>"),
        }));
        const found = yield* Effect.flatMap(ObjectStorage, (store) => Stream.runCollect(store.list("media", ""))).pipe(Effect.provide(layer));
        assert.deepStrictEqual(found.map((info) => [info.key, info.size, info.etag]), [
            ["a", 1, "e"],
            ["b", 1, "e"],
            ["c & d", 1, "e"],
        ]);
    }));
    it.live("a bucket that another process made in the same moment was said to be a fault", () => Effect.gen(function* () {
        let isMade = false;
        const layer = yield* answering((_, method) => {
            if (method === "HEAD")
                return { status: isMade ? 200 : 404 };
            isMade = true;
            return { status: 409, body: xml("BucketAlreadyOwnedByYou") };
        });
        const line = yield* Effect.flatMap(ObjectStorage, (store) => store.setup("media")).pipe(Effect.provide(layer));
        assert.strictEqual(line, "bucket media: there");
    }));
    it.live("names a bucket that belongs to another account", () => Effect.gen(function* () {
        const layer = yield* answering((_, method) => method === "HEAD" ? { status: 404 } : { status: 409, body: xml("BucketAlreadyExists") });
        const fault = yield* Effect.flatMap(ObjectStorage, (store) => Effect.flip(store.setup("media"))).pipe(Effect.provide(layer));
        assert.strictEqual(fault._tag === "ConfigurationError" ? fault.setting : fault._tag, "OBJECT_STORAGE_BUCKET");
    }));
    it.live("keeps what the server says of the next try", () => Effect.gen(function* () {
        const fault = yield* putFault({ status: 503, headers: { "retry-after": "7" }, body: xml("SlowDown") });
        assert.strictEqual(fault._tag, "TransientError");
        if (fault._tag === "TransientError") {
            assert.strictEqual(fault.retryAfterMillis, 7_000);
            assert.strictEqual(fault.code, "throttled");
        }
    }));
    it.live("names refused credentials, another region and a clock that is wrong", () => Effect.gen(function* () {
        const settings = yield* Effect.forEach([
            { status: 403, body: xml("InvalidAccessKeyId") },
            { status: 403, body: xml("SignatureDoesNotMatch") },
            { status: 403, body: xml("AccessDenied") },
            { status: 301, body: xml("PermanentRedirect") },
            { status: 403, body: xml("RequestTimeTooSkewed") },
            { status: 404, body: xml("NoSuchBucket") },
        ], (answer) => Effect.map(putFault(answer), (fault) => (fault._tag === "ConfigurationError" ? fault.setting : fault._tag)));
        assert.deepStrictEqual(settings, [
            "OBJECT_STORAGE_ACCESS_KEY",
            "OBJECT_STORAGE_ACCESS_KEY",
            "OBJECT_STORAGE_ACCESS_KEY",
            "OBJECT_STORAGE_REGION",
            "clock",
            "OBJECT_STORAGE_BUCKET",
        ]);
    }));
    it.live("takes a server that is away for a passing fault", () => Effect.gen(function* () {
        const layer = S3Storage.layer({
            endpoint: "http://127.0.0.1:9",
            region: "eu-west-3",
            accessKey: "key",
            secretKey: Redacted.make("secret"),
        });
        const fault = yield* Effect.flatMap(ObjectStorage, (store) => Effect.flip(store.head(ref))).pipe(Effect.provide(layer));
        assert.strictEqual(fault._tag, "TransientError");
    }));
});
