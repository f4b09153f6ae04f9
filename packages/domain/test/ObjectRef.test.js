import { assert, describe, it } from "@effect/vitest";
import { fromUrl, toUrl } from "../src/ObjectRef.ts";
describe("object references", () => {
    it("a URL and its reference convert into each other", () => {
        const ref = { bucket: "media", key: "uploads/u1/m1/a film.mp4" };
        assert.strictEqual(toUrl(ref), "s3://media/uploads/u1/m1/a film.mp4");
        assert.deepStrictEqual(fromUrl(toUrl(ref)), ref);
    });
    it("a key keeps its slashes, and a URL without a key has an empty one", () => {
        assert.deepStrictEqual(fromUrl("s3://b/a//c/"), { bucket: "b", key: "a//c/" });
        assert.deepStrictEqual(fromUrl("s3://b"), { bucket: "b", key: "" });
    });
    it("text that is not an object URL has no bucket", () => {
        assert.deepStrictEqual(fromUrl("https://example.com/a"), { bucket: "", key: "" });
    });
});
