/** Writes that are under way, fail or are large. */
import { createHash } from "node:crypto";
import { assert } from "@effect/vitest";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Deferred, Effect, Fiber, Stream } from "effect";
import { collectGarbage, fresh, keysOf, putText, read, text } from "./Harness.ts";
export const writingBehaviour = (it, traits) => {
    it.effect("shows an object whole or not at all while it is written", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const old = yield* fresh("old");
        const none = yield* fresh("none");
        yield* putText(old, "old content");
        const gate = yield* Deferred.make();
        const halfway = yield* Deferred.make();
        // More than a part of a multipart upload, so that it has begun.
        const half = Stream.succeed(new Uint8Array(9 * 1024 * 1024));
        const rest = Stream.unwrap(Effect.as(Effect.andThen(Deferred.succeed(halfway, undefined), Deferred.await(gate)), Stream.succeed(text("end"))));
        const writers = yield* Effect.forEach([old, none], (ref) => Effect.forkChild(store.put(ref, Stream.concat(half, rest), { contentType: "a/b" })));
        yield* Deferred.await(halfway);
        assert.strictEqual(yield* read(old), "old content");
        assert.strictEqual((yield* store.head(old)).size, 11);
        assert.strictEqual((yield* Effect.flip(store.head(none)))._tag, "NotFound");
        assert.deepStrictEqual(yield* keysOf(none.key), []);
        yield* Deferred.succeed(gate, undefined);
        yield* Effect.forEach(writers, Fiber.join);
        assert.strictEqual((yield* store.head(old)).size, 9 * 1024 * 1024 + 3);
        assert.strictEqual((yield* store.head(none)).contentType, "a/b");
    }));
    it.effect("leaves what was there when a write fails or is interrupted", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const ref = yield* fresh("retained");
        yield* putText(ref, "retained");
        const half = Stream.succeed(new Uint8Array(9 * 1024 * 1024));
        const failing = Stream.concat(half, Stream.fail("broken"));
        assert.strictEqual(yield* Effect.flip(store.put(ref, failing, { contentType: "a/b" })), "broken");
        const halfway = yield* Deferred.make();
        const waiting = Stream.unwrap(Effect.as(Deferred.succeed(halfway, undefined), Stream.never));
        const writer = yield* Effect.forkChild(store.put(ref, Stream.concat(half, waiting), { contentType: "a/b" }));
        yield* Deferred.await(halfway);
        yield* Fiber.interrupt(writer);
        assert.strictEqual(yield* read(ref), "retained");
    }));
    it.effect("streams 96 MB in and out, in bounded memory", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const ref = yield* fresh("large");
        const chunks = 1_536;
        const chunkBytes = 65_536;
        const sent = createHash("sha256");
        const received = createHash("sha256");
        let peak = 0;
        let seen = 0;
        const base = process.memoryUsage().arrayBuffers;
        const watch = () => {
            seen += 1;
            if (seen % 128 !== 0)
                return;
            collectGarbage();
            peak = Math.max(peak, process.memoryUsage().arrayBuffers - base);
        };
        const body = Stream.range(1, chunks).pipe(Stream.rechunk(1), Stream.map((at) => {
            const chunk = new Uint8Array(chunkBytes).fill(at % 251);
            sent.update(chunk);
            watch();
            return chunk;
        }));
        const info = yield* store.put(ref, body, { contentType: "video/mp4" });
        assert.strictEqual(info.size, chunks * chunkBytes);
        const got = yield* store.get(ref);
        yield* Stream.runForEach(got.body, (chunk) => Effect.sync(() => {
            received.update(chunk);
            watch();
        }));
        assert.strictEqual(received.digest("hex"), sent.digest("hex"));
        if (traits.bounded)
            assert.isBelow(peak / 1024 / 1024, 64);
        yield* store.remove(ref);
    }));
};
