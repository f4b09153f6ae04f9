/** Objects and buckets: put, get, copy, head, remove, set up. */
import { assert } from "@effect/vitest";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Effect, Stream } from "effect";
import { fresh, keysOf, putText, read, refOf, text } from "./Harness.ts";
export const objectBehaviour = (it) => {
    it.effect("gives back what was put, with what is known of it", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const ref = yield* fresh("a.txt");
        const put = yield* store.put(ref, text("hello"), { contentType: "text/plain", cacheControl: "max-age=60" });
        const got = yield* store.get(ref);
        const head = yield* store.head(ref);
        assert.strictEqual(yield* read(ref), "hello");
        for (const info of [put, got.info, head]) {
            assert.deepInclude(info, { ...ref, size: 5, contentType: "text/plain", cacheControl: "max-age=60" });
            assert.strictEqual(info.etag, put.etag);
            assert.notInclude(info.etag, '"');
            assert.isBelow(Math.abs(Date.now() - info.modifiedAt), 60_000);
        }
        yield* Stream.runDrain(got.body);
    }));
    it.effect("keeps an empty object, and one from a stream", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const empty = yield* fresh("empty");
        assert.strictEqual((yield* store.put(empty, new Uint8Array(), { contentType: "a/b" })).size, 0);
        assert.strictEqual(yield* read(empty), "");
        const streamed = yield* fresh("streamed");
        yield* store.put(streamed, Stream.make(text("one "), text("two")), { contentType: "a/b" });
        assert.strictEqual(yield* read(streamed), "one two");
    }));
    it.effect("copies an object with what is known of it, over what was there, and says what is missing", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const from = yield* fresh("from (1) 100% ü.txt");
        const to = yield* fresh("deep/to.txt");
        yield* store.put(from, text("hello"), { contentType: "text/css", cacheControl: "max-age=60" });
        yield* putText(to, "something longer");
        const copied = yield* store.copy(from, to);
        const head = yield* store.head(to);
        for (const info of [copied, head]) {
            assert.deepInclude(info, { ...to, size: 5, contentType: "text/css", cacheControl: "max-age=60" });
        }
        assert.strictEqual(copied.etag, head.etag);
        yield* store.remove(from);
        assert.strictEqual(yield* read(to), "hello");
        assert.strictEqual((yield* Effect.flip(store.copy(from, to)))._tag, "NotFound");
        assert.strictEqual(yield* read(to), "hello");
        const elsewhere = yield* Effect.flip(store.copy(to, { bucket: "absent", key: "a" }));
        assert.strictEqual(elsewhere._tag, "ConfigurationError");
        assert.include(elsewhere.message, "absent");
        assert.strictEqual((yield* Effect.flip(store.copy(to, refOf("../a"))))._tag, "ConfigurationError");
    }));
    it.effect("overwrites, and the etag changes", () => Effect.gen(function* () {
        const ref = yield* fresh("a");
        const first = yield* putText(ref, "first");
        const second = yield* putText(ref, "second");
        assert.notStrictEqual(first.etag, second.etag);
        assert.strictEqual(yield* read(ref), "second");
    }));
    it.effect("reads ranges", () => Effect.gen(function* () {
        const ref = yield* fresh("digits");
        yield* putText(ref, "0123456789");
        assert.strictEqual(yield* read(ref, { start: 2, end: 4 }), "234");
        assert.strictEqual(yield* read(ref, { start: 7 }), "789");
        assert.strictEqual(yield* read(ref, { start: 8, end: 99 }), "89");
        assert.strictEqual(yield* read(ref, { start: 10 }), "");
        const { info, body } = yield* (yield* ObjectStorage).get(ref, { start: 0, end: 1 });
        yield* Stream.runDrain(body);
        assert.strictEqual(info.size, 10);
    }));
    it.effect("answers NotFound for what is not there, and removing it succeeds", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const ref = yield* fresh("none");
        assert.strictEqual((yield* Effect.flip(store.get(ref)))._tag, "NotFound");
        assert.strictEqual((yield* Effect.flip(store.head(ref)))._tag, "NotFound");
        yield* store.remove(ref);
        yield* putText(ref, "now");
        yield* store.remove(ref);
        assert.strictEqual((yield* Effect.flip(store.head(ref)))._tag, "NotFound");
        assert.deepStrictEqual(yield* keysOf(ref.key), []);
    }));
    it.effect("names a bucket that is not there as a fault of configuration", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const ref = { bucket: "absent", key: "a" };
        const faults = yield* Effect.all([
            Effect.flip(store.get(ref)),
            Effect.flip(store.head(ref)),
            Effect.flip(store.put(ref, text("x"), { contentType: "a/b" })),
            Effect.flip(Stream.runDrain(store.list("absent", ""))),
        ]);
        for (const fault of faults) {
            assert.strictEqual(fault._tag, "ConfigurationError");
            assert.include(fault.message, "absent");
        }
    }));
    it.effect("sets a bucket up as often as one likes", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        assert.include(yield* store.setup("second-bucket"), "second-bucket");
        assert.include(yield* store.setup("second-bucket"), "second-bucket");
        const ref = { bucket: "second-bucket", key: "a" };
        yield* putText(ref, "x");
        assert.strictEqual(yield* read(ref), "x");
    }));
};
