import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import { History } from "@armoricore/history/History";
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { Audiences } from "@armoricore/state/Audiences";
import { UserDevices } from "@armoricore/state/UserDevices";
import { UserPreferences } from "@armoricore/state/UserPreferences";
import { UserInbox } from "@armoricore/state/UserInbox";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
import { layer as roomMembersLayer, RoomMembers } from "../../src/access/RoomMembers.ts";
import { RealtimeAdmin } from "../../src/admin/RealtimeAdmin.ts";
import * as RealtimeErasure from "../../src/erasure/RealtimeErasure.ts";
import { Topics } from "../../src/pubsub/Topics.ts";
import { Cluster } from "../../src/cluster/Cluster.ts";
import * as MessageChanges from "../../src/rooms/MessageChanges.ts";
import * as ReadState from "../../src/rooms/ReadState.ts";
import * as RoomEntry from "../../src/rooms/RoomEntry.ts";
import * as RoomLog from "../../src/rooms/RoomLog.ts";
const admin = Layer.mock(RealtimeAdmin, {
    sockets: () => Effect.succeed({ items: [], truncated: false, unresponsive: [] }),
    ban: () => Effect.void,
});
const rooms = Layer.mergeAll(MessageChanges.layer, ReadState.layer()).pipe(Layer.provideMerge(RoomLog.layer), Layer.provideMerge([MemoryHistory.layer(), Topics.layer, Cluster.layerSingleNode]));
const layer = Layer.mergeAll(rooms, MemoryBus.layer, admin, UserInbox.layer, UserDevices.layer, UserPreferences.layer, Audiences.layer, roomMembersLayer).pipe(Layer.provideMerge(MemoryState.layer));
const append = Effect.fnUntraced(function* (room, id, payload) {
    const body = RoomEntry.encode({ event: "new_message", payload: { id, ...payload }, droppable: false });
    yield* (yield* History).append(room, id, body);
});
const idsIn = Effect.fnUntraced(function* (room) {
    const { items } = yield* (yield* History).read(room, { limit: 100 });
    return items.map(({ id }) => id);
});
describe("RealtimeErasure", () => {
    it.effect("removes a user's messages in every room and the user's events, and tells the subscribers", () => Effect.gen(function* () {
        const topics = yield* Topics;
        const seen = [];
        topics.subscribe("chat:room:a", { receive: ({ event, payload }) => void seen.push([event, payload]) });
        yield* append("chat:room:a", "1", { user_id: "é:u", content: "x" });
        yield* append("chat:room:a", "2", { user_id: "u2", content: `"user_id":"é:u"`, metadata: { user_id: "é:u" } });
        yield* append("comments:stream:s", "3", { user_id: "é:u", content: "x" });
        yield* append("user:é:u", "4", { user_id: "é:u", media_id: "m1" });
        const stores = yield* RealtimeErasure.makeStores;
        const erase = (of) => Effect.all(stores.filter(({ name }) => name === "messages").map((store) => store.erase(of)));
        const request = { userId: "é:u", requestId: "r", requestedAt: "", publish: () => Effect.void };
        assert.deepStrictEqual(yield* erase(request), [3]);
        assert.deepStrictEqual(yield* erase(request), [0]);
        assert.deepStrictEqual(yield* idsIn("chat:room:a"), ["2"]);
        assert.deepStrictEqual(yield* idsIn("comments:stream:s"), []);
        assert.deepStrictEqual(yield* idsIn("user:é:u"), []);
        assert.lengthOf(seen, 1);
        const [[event, { id, reason }]] = seen;
        assert.deepStrictEqual([event, id, reason], ["message_removed", "1", "erased"]);
    }).pipe(Effect.provide(layer)));
    it.effect("removes what the user has read", () => Effect.gen(function* () {
        const { markRead, ofRoom, ofUser } = yield* ReadState.ReadState;
        const payload = { content: "x", user_id: "u2" };
        for (const id of ["1", "2"])
            yield* append("chat:room:a", id, payload);
        yield* markRead("chat:room:a", "u1", 1e15);
        yield* markRead("chat:room:a", "u2", 1e15);
        // Both are written.
        yield* TestClock.adjust("2 seconds");
        const request = { userId: "u1", requestId: "r", requestedAt: "", publish: () => Effect.void };
        const stores = yield* RealtimeErasure.makeStores;
        const erased = yield* Effect.all(stores.filter(({ name }) => name === "read_state").map((store) => store.erase(request)));
        assert.deepStrictEqual(erased, [1]);
        assert.deepStrictEqual(yield* ofUser("u1", 10), []);
        assert.deepStrictEqual(Object.keys((yield* ofRoom("chat:room:a")) ?? {}), ["u2"]);
    }).pipe(Effect.provide(layer)));
    it.effect("removes the inbox, the devices, the preferences and the memberships of rooms and audiences", () => Effect.gen(function* () {
        const inbox = yield* UserInbox;
        const devices = yield* UserDevices;
        const item = { id: "i1", notification_id: "n1", title: "t", body: "b", data: {} };
        yield* inbox.add("u1", { ...item, created_at: new Date(0).toISOString() });
        yield* devices.register("u1", { device_id: "d1", platform: "android", token: "t1" });
        const members = yield* RoomMembers;
        for (const [room, user] of [
            ["a", "u1"],
            ["b", "u1"],
            ["a", "u2"],
        ])
            yield* members.put(room, user, undefined);
        yield* (yield* UserPreferences).put("u1", { categories: { orders: { push: false } } });
        yield* (yield* Audiences).add("fans", ["u1", "u2"]);
        const stores = yield* RealtimeErasure.makeStores;
        const pass = Effect.forEach(stores.filter(({ name }) => ["memberships", "inbox", "devices", "preferences", "audiences"].includes(name)), ({ erase }) => erase({ userId: "u1", requestId: "r", requestedAt: "", publish: () => Effect.void }));
        assert.deepStrictEqual(yield* pass, [2, 1, 1, 1, 1]);
        assert.deepStrictEqual(yield* pass, [0, 0, 0, 0, 0]);
        assert.lengthOf((yield* members.list("a", { limit: 9 })).members, 1);
    }).pipe(Effect.provide(layer)));
    it.effect("removes the events of a deleted media from its owner's history", () => Effect.gen(function* () {
        for (let index = 0; index < 250; index++)
            yield* append("user:u1", `e${index}`, { user_id: "u1", media_id: index % 2 === 0 ? "m1" : "m2" });
        yield* append("user:u1", "deleted", { user_id: "u1", media_id: "m1" });
        yield* RealtimeErasure.removeMediaEvents("u1", "m1", "deleted");
        const left = yield* (yield* History).read("user:u1", { limit: 300 });
        assert.lengthOf(left.items, 126);
        assert.strictEqual(left.items.at(-1)?.id, "deleted");
    }).pipe(Effect.provide(layer)));
});
