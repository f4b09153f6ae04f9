import { assert, describe, it } from "@effect/vitest";
import * as DocumentCache from "../../src/request/DocumentCache.ts";
const document = (key, revision, text) => ({
    key,
    revision,
    value: {
        notification_id: key,
        user_id: "u",
        notification_type: "email",
        status: "pending",
        source_event_id: key,
        content: { title: "", text, data: {} },
        deliveries: [],
        requested_at: 0,
        updated_at: "",
    },
});
describe("DocumentCache", () => {
    it("evicts the oldest document when it exceeds the maximum number", () => {
        const cache = DocumentCache.make({ maxEntries: 2, maxCharacters: 1_000 });
        for (const [revision, key] of ["a", "b", "a", "c"].entries())
            cache.put(document(key, revision, ""));
        assert.isUndefined(cache.get("b"));
        assert.strictEqual(cache.get("a")?.revision, 2);
        assert.strictEqual(cache.get("c")?.revision, 3);
        cache.remove("a");
        assert.isUndefined(cache.get("a"));
    });
    it("limits the total size of the documents", () => {
        // regression: two thousand newsletters filled the memory
        const cache = DocumentCache.make({ maxEntries: 2_000, maxCharacters: 1_000_000 });
        const keys = Array.from({ length: 100 }, (_, index) => `n${index}`);
        const cachedCount = () => keys.filter((key) => cache.get(key) !== undefined).length;
        for (const [revision, key] of keys.entries())
            cache.put(document(key, revision, "x".repeat(100_000)));
        assert.isAtMost(cachedCount(), 10);
        assert.isAtLeast(cachedCount(), 9);
        // Repeated writes of one document count once, and eviction frees its size.
        for (let revision = 0; revision < 50; revision++)
            cache.put(document("n99", revision, "x".repeat(100_000)));
        assert.isAtLeast(cachedCount(), 9);
        cache.put(document("huge", 1, "x".repeat(2_000_000)));
        assert.isUndefined(cache.get("huge"));
        cache.put(document("n1", 1, "small"));
        assert.strictEqual(cache.get("n1")?.revision, 1);
    });
});
