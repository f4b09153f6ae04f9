/** Keys: listing, hostile keys, keys that are refused. */
import { assert } from "@effect/vitest";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Duration, Effect, Stream } from "effect";
import { assertKeysOf, bodyOf, fresh, keysOf, putText, read, refOf, request, text, } from "./Harness.ts";
const hostileKeys = [
    `a "quoted" 'key'.txt`,
    "a b & c=d+e;f,g?h#i.txt",
    "100% %2e%2e %00.txt",
    "ünï/日本語/🎬 .mp4",
    "back\\slash|pipe<less>more*star~tilde`tick^",
    ".hidden/.x",
    "Case.TXT",
    "case.txt",
    "folder",
    "folder/inside",
    "folder+/inside=",
    `long/${"x%".repeat(150)}é${"é".repeat(130)}`,
    "...",
];
export const keyBehaviour = (it, traits) => {
    const assertKeys = assertKeysOf(traits);
    it.effect("lists by prefix, ascending, more than a page of S3", () => Effect.gen(function* () {
        const { key } = yield* fresh("");
        const names = ["a", "a/b", "a/b/c", "a0", "ab", "b", "é", "日", "🎬"];
        yield* Effect.forEach([...names].reverse(), (one) => putText(refOf(key + one), one), { concurrency: 4 });
        assertKeys(yield* keysOf(key), names.map((one) => key + one));
        assertKeys(yield* keysOf(`${key}a`), ["a", "a/b", "a/b/c", "a0", "ab"].map((one) => key + one));
        assertKeys(yield* keysOf(`${key}a/`), [`${key}a/b`, `${key}a/b/c`]);
        const [first] = yield* Stream.runCollect((yield* ObjectStorage).list("media", `${key}ab`));
        assert.deepInclude(first, { bucket: "media", key: `${key}ab`, size: 2 });
        const many = Array.from({ length: traits.listed ?? 1_050 }, (_, at) => `${key}many/${String(at).padStart(5, "0")}`);
        yield* Effect.forEach(many, (one) => putText(refOf(one), ""), { concurrency: 16, discard: true });
        assertKeys(yield* keysOf(`${key}many/`), many);
    }));
    it.effect("keeps hostile keys apart and whole", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const { key: base } = yield* fresh("");
        const keys = hostileKeys.filter((key) => traits.shortParts !== true || key.length < 200).map((key) => base + key);
        for (const key of keys)
            yield* putText(refOf(key), key);
        for (const key of keys) {
            assert.strictEqual(yield* read(refOf(key)), key);
            assert.strictEqual((yield* store.head(refOf(key))).key, key);
            const signed = yield* store.presignGet(refOf(key), { expiresIn: Duration.minutes(1) });
            assert.strictEqual(yield* bodyOf(yield* request(signed.url)), key);
        }
        const byBytes = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        assertKeys(yield* keysOf(base), byBytes);
        for (const key of keys) {
            yield* store.remove(refOf(key));
            assert.strictEqual((yield* Effect.flip(store.head(refOf(key))))._tag, "NotFound");
        }
        assertKeys(yield* keysOf(base), []);
    }));
    it.effect("refuses keys that could lead elsewhere", () => Effect.gen(function* () {
        const store = yield* ObjectStorage;
        const keys = ["", "/a", "..", "../a", "a/../../b", "a/./b", "a/..", "a\0b", "\ud800", "x".repeat(1025)];
        for (const key of keys) {
            const ref = refOf(key);
            const faults = yield* Effect.all([
                Effect.flip(store.put(ref, text("x"), { contentType: "a/b" })),
                Effect.flip(store.get(ref)),
                Effect.flip(store.head(ref)),
                Effect.flip(store.remove(ref)),
                Effect.flip(store.presignGet(ref, { expiresIn: Duration.minutes(1) })),
                Effect.flip(store.presignPut(ref, { expiresIn: Duration.minutes(1), contentType: "a/b" })),
            ]);
            for (const fault of faults)
                assert.strictEqual(fault._tag, "ConfigurationError", JSON.stringify(key));
        }
        for (const bucket of ["..", "a/b", "", ".writing"]) {
            assert.strictEqual((yield* Effect.flip(store.setup(bucket)))._tag, "ConfigurationError");
            assert.strictEqual((yield* Effect.flip(store.head({ bucket, key: "a" })))._tag, "ConfigurationError");
        }
    }));
};
