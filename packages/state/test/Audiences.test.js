import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { Audiences } from "@armoricore/state/Audiences";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
describe("audiences", () => {
    it.effect("add, list in pages, and remove members, each once", () => Effect.gen(function* () {
        const audiences = yield* Audiences;
        const all = Array.from({ length: 250 }, (_, index) => `auth0|${index}`);
        assert.strictEqual(yield* audiences.add("fans", all), 250);
        assert.strictEqual(yield* audiences.add("fans", ["auth0|7", "new"]), 1);
        yield* audiences.add("fans-2", ["other"]);
        const listed = [];
        let after;
        do {
            const page = yield* audiences.list("fans", 100, after);
            listed.push(...page.user_ids);
            after = page.next;
        } while (after !== undefined);
        assert.strictEqual(listed.length, 251);
        assert.sameMembers(listed, [...all, "new"]);
        assert.strictEqual(yield* audiences.has("fans", "auth0|7"), true);
        assert.strictEqual(yield* audiences.remove("fans", ["auth0|7", "unknown"]), 1);
        assert.strictEqual(yield* audiences.has("fans", "auth0|7"), false);
        yield* audiences.add("fans", ["other"]);
        assert.strictEqual(yield* audiences.forget("other"), 2);
        assert.deepStrictEqual(yield* audiences.list("fans-2", 10), { user_ids: [] });
    }).pipe(Effect.provide(Layer.provide(Audiences.layer, MemoryState.layer))));
});
