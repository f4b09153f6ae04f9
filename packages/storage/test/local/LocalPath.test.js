import { fileOf, folderOf, keyOf } from "@armoricore/storage/local/LocalPath";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Schema } from "effect";
const Part = Schema.String;
const soundKey = (parts) => parts.map((part) => part.toWellFormed().replaceAll("/", "")).join("/");
describe("LocalPath", () => {
    it.effect.prop("is reversible, and stays below its folder", [Schema.Array(Part)], ([parts]) => Effect.sync(() => {
        const key = soundKey(parts);
        const path = fileOf(key);
        assert.strictEqual(keyOf(path.split("/")), key);
        for (const name of path.split("/")) {
            assert.match(name, /^[a-z0-9%_-][a-z0-9%._-]*[+=]?$/);
            assert.isAtMost(name.length, 255);
        }
        assert.isTrue(path.startsWith(folderOf(key)));
    }));
    it("splits a segment that is too long for a file name, and leaves short ones readable", () => {
        assert.strictEqual(fileOf("media/abc/v1/index.m3u8"), "media+/abc+/v1+/index.m3u8");
        assert.strictEqual(fileOf("a//b"), "a+/%+/b");
        assert.strictEqual(fileOf("../A"), "%2e.+/%41");
        const long = `${"é".repeat(500)}/x`;
        assert.strictEqual(keyOf(fileOf(long).split("/")), long);
        assert.isBelow(fileOf("é".repeat(512)).length, 3_200);
    });
    it("finds no key for a file name that it did not create", () => {
        for (const name of ["README.txt~", "Upper", "a b", "%zz", "%ff"])
            assert.isUndefined(keyOf([name]));
    });
});
