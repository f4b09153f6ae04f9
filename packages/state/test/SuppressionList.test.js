import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Option } from "effect";
import { TestClock } from "effect/testing";
import * as MemoryState from "../src/memory/MemoryState.ts";
import { unsubscribeKeys } from "../src/NotificationStates.ts";
import * as Collection from "../src/Collection.ts";
import { csvHeader, csvLineOf, hashOfAddress, SuppressionList } from "../src/SuppressionList.ts";
const provided = Effect.provide(SuppressionList.layer.pipe(Layer.provideMerge(MemoryState.layer)));
describe("SuppressionList", () => {
    it.effect("an entry has its reason, its dates and its evidence", () => Effect.gen(function* () {
        const list = yield* SuppressionList;
        yield* TestClock.setTime(1_000);
        const bounce = { reason: "bounced", source: "smtp", evidence: "550 5.1.1 unknown", delivery_id: "d-1" };
        const added = yield* list.add({ address: "Anna@Example.org" }, bounce);
        assert.deepStrictEqual(added, { hash: hashOfAddress("anna@example.org"), ...bounce, since: 1_000 });
        yield* TestClock.setTime(2_000);
        const complained = yield* list.add({ address: "anna@example.org" }, { reason: "complained", source: "ses" });
        assert.deepInclude(complained, { reason: "complained", source: "ses", since: 1_000, last_at: 2_000 });
        yield* TestClock.setTime(3_000);
        // A complaint weighs more than a bounce.
        const again = yield* list.add({ address: "anna@example.org" }, bounce);
        assert.deepInclude(again, { reason: "complained", source: "ses", since: 1_000, last_at: 3_000 });
    }).pipe(provided));
    it.effect("an address can be found, removed and added again", () => Effect.gen(function* () {
        const list = yield* SuppressionList;
        yield* list.add({ address: "anna@example.org" }, { reason: "manual" });
        yield* list.add({ address: "anna@example.org", category: "newsletter" }, { reason: "unsubscribed" });
        yield* list.add({ address: "bert@example.org" }, { reason: "bounced" });
        const { entries } = yield* list.list({ address: "anna@example.org", limit: 10 });
        assert.deepStrictEqual(entries.map(({ category, reason }) => [reason, category]), [
            ["manual", undefined],
            ["unsubscribed", "newsletter"],
        ]);
        assert.lengthOf((yield* list.list({ reason: "bounced", limit: 10 })).entries, 1);
        assert.isTrue(yield* list.remove({ address: "ANNA@example.org" }));
        assert.isFalse(yield* list.remove({ address: "anna@example.org" }));
        assert.isTrue(Option.isNone(yield* list.get(hashOfAddress("anna@example.org"))));
        assert.isTrue(yield* list.remove({ hash: hashOfAddress("anna@example.org"), category: "newsletter" }));
        assert.lengthOf((yield* list.list({ limit: 10 })).entries, 1);
    }).pipe(provided));
    it.effect("pages cover each entry once, and no other document of the bucket", () => Effect.gen(function* () {
        const list = yield* SuppressionList;
        yield* (yield* Collection.make(unsubscribeKeys)).put("key.unsubscribe", { key: "secret" });
        for (let at = 0; at < 25; at++)
            yield* list.add({ address: `a${at}@example.org` }, { reason: "bounced" });
        const seen = [];
        let after;
        do {
            const page = yield* list.list({ limit: 10, after });
            seen.push(...page.entries.map(({ hash }) => hash));
            after = page.next;
        } while (after !== undefined);
        assert.lengthOf(seen, 25);
        assert.strictEqual(new Set(seen).size, 25);
    }).pipe(provided));
    it.effect("a wrong address, hash, category or cursor is named", () => Effect.gen(function* () {
        const list = yield* SuppressionList;
        const reason = { reason: "manual" };
        const attempts = [
            [list.add({ address: "anna" }, reason), "invalid_address"],
            [list.add({ hash: "12" }, reason), "invalid_address"],
            [list.add({}, reason), "invalid_address"],
            [list.add({ address: "a@b.example", category: "A b" }, reason), "invalid_category"],
            [list.remove({ address: "a b@c" }), "invalid_address"],
            [list.list({ limit: 1, after: "../x" }), "invalid_cursor"],
        ];
        for (const [attempt, code] of attempts) {
            const error = yield* Effect.flip(attempt);
            assert.strictEqual("code" in error ? error.code : "", code);
        }
    }).pipe(provided));
    it.effect("an address with a domain in other letters is one address", () => Effect.gen(function* () {
        assert.strictEqual(hashOfAddress("a@exämple.org"), hashOfAddress("A@XN--EXMPLE-CUA.org"));
    }));
    it.effect("a line of the export is safe in a spreadsheet", () => Effect.sync(() => {
        const line = csvLineOf({ hash: "ab", reason: "bounced", since: 0, source: "smtp", evidence: '=1+"x",\r\ny' });
        assert.strictEqual(line, 'ab,,bounced,1970-01-01T00:00:00.000Z,,smtp,,"\'=1+""x"",\r\ny"');
        assert.lengthOf(csvHeader.split(","), 8);
    }));
});
