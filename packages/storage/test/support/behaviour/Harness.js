/** Helpers that the tests of an object storage share. */
import { randomUUID } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { assert } from "@effect/vitest";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Effect, Stream } from "effect";
// Unreachable buffers do not count as the adapter's memory.
setFlagsFromString("--expose-gc");
export const collectGarbage = runInNewContext("gc");
export const text = (value) => new TextEncoder().encode(value);
export const refOf = (key) => ({ bucket: "media", key });
export const fresh = (name) => Effect.sync(() => refOf(`${randomUUID()}/${name}`));
export const read = Effect.fnUntraced(function* (ref, range) {
    const { body } = yield* (yield* ObjectStorage).get(ref, range);
    return Buffer.concat(yield* Stream.runCollect(body)).toString("utf8");
});
export const putText = Effect.fnUntraced(function* (ref, value) {
    return yield* (yield* ObjectStorage).put(ref, text(value), { contentType: "text/plain" });
});
export const keysOf = Effect.fnUntraced(function* (prefix) {
    return (yield* Stream.runCollect((yield* ObjectStorage).list("media", prefix))).map((info) => info.key);
});
export const request = (url, init) => Effect.promise(() => fetch(url, init));
export const bodyOf = (response) => Effect.promise(() => response.text());
/** Compares listed keys; without their order where the server does not sort as S3 does. */
export const assertKeysOf = (traits) => (found, expected) => traits.unsorted === true
    ? assert.deepStrictEqual([...found].sort(), [...expected].sort())
    : assert.deepStrictEqual(found, expected);
