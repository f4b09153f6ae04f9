import { assert, describe, it } from "@effect/vitest";
import * as StoreVersion from "../src/StoreVersion.ts";
describe("the schema version of a store", () => {
    it("is 1 by default, or the one in the description", () => {
        for (const [words, number] of [
            [undefined, 1],
            [null, 1],
            ["", 1],
            ["ours, do not delete", 1],
            ["armoricore schema 1", 1],
            ["ours (armoricore schema 12)", 12],
        ]) {
            assert.strictEqual(StoreVersion.versionOf(words), number);
        }
    });
    it("is appended to an operator's text, and replaces an older version", () => {
        assert.strictEqual(StoreVersion.withVersion(undefined, 1), "armoricore schema 1");
        assert.strictEqual(StoreVersion.withVersion("ours", 1), "ours (armoricore schema 1)");
        assert.strictEqual(StoreVersion.withVersion("ours (armoricore schema 1)", 2), "ours (armoricore schema 2)");
        const words = StoreVersion.withVersion("ours", 3);
        assert.strictEqual(StoreVersion.withVersion(words, 3), words);
    });
    it("a newer version is rejected with advice", () => {
        assert.isUndefined(StoreVersion.newerVersionError("stream X", 1, 1));
        assert.isUndefined(StoreVersion.newerVersionError("stream X", 1, 2));
        assert.strictEqual(StoreVersion.newerVersionError("stream X", 2, 1)?.message, "The stream X was written by a newer Armoricore (schema 2; this one reads 1): start that version, or restore a backup from before it");
    });
});
