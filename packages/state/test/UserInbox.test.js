import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { InboxRetention, maxInboxBytes, UserInbox } from "@armoricore/state/UserInbox";
import { assert, describe, it } from "@effect/vitest";
import { Clock, Duration, Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
const layer = UserInbox.layer.pipe(Layer.provide(Layer.succeed(InboxRetention, { maxAge: Duration.days(1), maxItems: 5 })), Layer.provide(MemoryState.layer));
const add = Effect.fnUntraced(function* (id, body = "World") {
    const now = yield* Clock.currentTimeMillis;
    const inbox = yield* UserInbox;
    const created_at = new Date(now).toISOString();
    return yield* inbox.add("u|1", { id, notification_id: id, title: "Hello", body, data: {}, created_at });
});
const ids = (items) => items.map(({ id }) => id);
describe("the inbox of a user", () => {
    it.effect("numbers items, counts unread ones and stores an id once", () => Effect.gen(function* () {
        const inbox = yield* UserInbox;
        assert.deepInclude(yield* add("a"), { unread: 1, fresh: true });
        assert.deepInclude(yield* add("b"), { unread: 2, fresh: true });
        const again = yield* add("a", "another text");
        assert.deepInclude(again, { unread: 2, fresh: false });
        assert.strictEqual(again.item.body, "World");
        const { items, more, unread } = yield* inbox.list("u|1", { limit: 1 });
        assert.deepStrictEqual({ ids: ids(items), more, unread }, { ids: ["b"], more: true, unread: 2 });
        assert.deepStrictEqual(ids((yield* inbox.list("u|1", { after: items[0]?.seq, limit: 9 })).items), []);
        assert.deepStrictEqual(ids((yield* inbox.list("u|1", { before: items[0]?.seq, limit: 9 })).items), ["a"]);
        assert.deepStrictEqual(yield* inbox.list("another user", { limit: 9 }), { items: [], unread: 0, more: false });
    }).pipe(Effect.provide(layer)));
    it.effect("reports the items that changed, each once", () => Effect.gen(function* () {
        const inbox = yield* UserInbox;
        for (const id of ["a", "b", "c", "d"])
            yield* add(id);
        assert.deepStrictEqual(yield* inbox.markRead("u|1", ["b", "unknown"]), { ids: ["b"], unread: 3 });
        assert.deepStrictEqual(yield* inbox.markRead("u|1", ["b"]), { ids: [], unread: 3 });
        const [first] = (yield* inbox.list("u|1", { limit: 9 })).items;
        assert.deepStrictEqual(yield* inbox.markAllRead("u|1", first?.seq), { ids: ["a"], unread: 2 });
        assert.deepStrictEqual(yield* inbox.archive("u|1", ["c"]), { ids: ["c"], unread: 1 });
        assert.deepStrictEqual(ids((yield* inbox.list("u|1", { limit: 9 })).items), ["a", "b", "d"]);
        assert.deepStrictEqual(ids((yield* inbox.list("u|1", { limit: 9, archived: true })).items), ["c"]);
        assert.deepStrictEqual(ids((yield* inbox.list("u|1", { limit: 9, unreadOnly: true })).items), ["d"]);
        assert.deepStrictEqual(yield* inbox.markAllRead("u|1"), { ids: ["d"], unread: 0 });
        yield* inbox.clear("u|1");
        assert.deepStrictEqual((yield* inbox.list("u|1", { limit: 9 })).items, []);
    }).pipe(Effect.provide(layer)));
    it.effect("deletes the oldest items by number, size and age, and never repeats a seq", () => Effect.gen(function* () {
        const inbox = yield* UserInbox;
        for (const id of ["a", "b", "c", "d", "e", "f"])
            yield* add(id);
        assert.deepStrictEqual(ids((yield* inbox.list("u|1", { limit: 9 })).items), ["b", "c", "d", "e", "f"]);
        yield* add("g", "x".repeat(maxInboxBytes - 1_000));
        assert.deepStrictEqual(ids((yield* inbox.list("u|1", { limit: 9 })).items).at(-1), "g");
        yield* add("h", "x".repeat(2_000));
        const last = (yield* inbox.list("u|1", { limit: 9 })).items;
        assert.deepStrictEqual(ids(last), ["h"]);
        yield* TestClock.adjust("25 hours");
        assert.deepStrictEqual(yield* inbox.list("u|1", { limit: 9 }), { items: [], unread: 0, more: false });
        const next = yield* add("i");
        assert.strictEqual(next.unread, 1);
        assert.isAbove(next.item.seq, last.at(-1)?.seq ?? 0);
    }).pipe(Effect.provide(layer)));
});
