/** Incomplete multipart uploads: on S3 lifecycle rules delete them, in the local folder the adapter does. */
import { mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as LocalStorage from "@armoricore/storage/local/LocalStorage";
import { ObjectSigner } from "@armoricore/storage/local/ObjectSigner";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Schedule } from "effect";
const signer = Layer.succeed(ObjectSigner, {
    sign: () => Effect.die(new Error("nothing is signed here")),
    verify: () => Effect.die(new Error("nothing is signed here")),
});
/** Fails where a folder is removed during the look. */
const filesOf = (folder) => Effect.tryPromise(async () => {
    const found = await readdir(folder, { recursive: true, withFileTypes: true });
    return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
});
describe("unfinished uploads in the local folder", () => {
    it.live("are removed when nothing was written to them for a week; others stay", () => Effect.gen(function* () {
        const folder = yield* Effect.acquireRelease(Effect.promise(() => mkdtemp(join(tmpdir(), "armoricore-parts-"))), (path) => Effect.promise(() => rm(path, { recursive: true })));
        const storage = Effect.provide(Effect.gen(function* () {
            const store = yield* ObjectStorage;
            yield* store.setup("media");
            const begin = (key) => store.createMultipartUpload({ bucket: "media", key }, { contentType: "video/mp4" });
            yield* store.put({ bucket: "media", key: "retained.mp4" }, new Uint8Array(3), {
                contentType: "video/mp4",
            });
            return [yield* begin("old.mp4"), yield* begin("new.mp4")];
        }), LocalStorage.layer({ folder }).pipe(Layer.provide(signer)));
        const [old, fresh] = yield* storage;
        const long = new Date(Date.now() - 8 * 24 * 3600 * 1000);
        const age = (path) => Effect.promise(() => utimes(path, long, long));
        for (const file of yield* filesOf(folder)) {
            if (file.includes(fresh))
                continue;
            yield* age(file);
            yield* age(join(file, ".."));
        }
        // The next process that stands on this folder.
        yield* Layer.build(LocalStorage.layer({ folder }).pipe(Layer.provide(signer)));
        const left = yield* filesOf(folder).pipe(Effect.filterOrFail((files) => !files.some((file) => file.includes(old))), Effect.retry({ schedule: Schedule.spaced("20 millis"), times: 200 }));
        assert.isTrue(left.some((file) => file.includes(fresh)));
        assert.isTrue(left.some((file) => file.endsWith("retained.mp4")));
        assert.lengthOf(left, 2);
    }).pipe(Effect.scoped));
});
