/** Rooms stay usable during an outage of the bus or the history. */
import * as NatsConnection from "@armoricore/nats/NatsConnection";
import { EventBus } from "@armoricore/bus/EventBus";
import { TransientError } from "@armoricore/domain/Errors";
import { Cluster } from "@armoricore/realtime/cluster/Cluster";
import { History } from "@armoricore/history/History";
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory";
import * as NatsHistory from "@armoricore/history/nats/NatsHistory";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import * as PublishBuffer from "@armoricore/realtime/pubsub/PublishBuffer";
import * as RoomLogModule from "@armoricore/realtime/rooms/RoomLog";
import { Topics } from "@armoricore/realtime/pubsub/Topics";
import { assert, describe, it } from "@effect/vitest";
import { Context, Effect, Exit, Layer, Schedule } from "effect";
import { TestClock } from "effect/testing";
const { RoomLog } = RoomLogModule;
class Outage extends Context.Service()("test/Outage") {
    static layer = Layer.sync(Outage, () => ({ away: false }));
}
const away = new TransientError({ dependency: "history", code: "unavailable", message: "away" });
const failing = (outage, effect) => Effect.suspend(() => (outage.away ? Effect.fail(away) : effect));
const history = Layer.effect(History, Effect.gen(function* () {
    const outage = yield* Outage;
    const memory = yield* History;
    return {
        append: (room, id, body) => failing(outage, memory.append(room, id, body)),
        read: (room, page) => failing(outage, memory.read(room, page)),
        remove: (room, id) => failing(outage, memory.remove(room, id)),
        removeMatching: memory.removeMatching,
        get: (room, id) => failing(outage, memory.get(room, id)),
        replace: (room, id, expected, body) => failing(outage, memory.replace(room, id, expected, body)),
        count: (room, after, limit) => failing(outage, memory.count(room, after, limit)),
        subscribe: memory.subscribe,
        setup: memory.setup,
    };
})).pipe(Layer.provide(MemoryHistory.layer()));
const roomLog = RoomLogModule.layer.pipe(Layer.provideMerge([Topics.layer, Cluster.layerSingleNode]), Layer.provideMerge(history), Layer.provideMerge(Outage.layer));
const maxBytes = 100_000;
const topic = "chat:room:r";
const say = Effect.fnUntraced(function* (id) {
    return yield* (yield* RoomLog).append(topic, { event: "new_message", id, payload: { id } });
});
const ids = (entries) => entries.map(({ payload }) => payload["id"]);
describe("during an outage of the history", () => {
    it.effect("an undecodable stored entry fails its own append, and the room still responds", () => Effect.gen(function* () {
        // regression: the room's later appends got no reply
        const { append } = yield* History;
        yield* append(topic, "odd", Buffer.from("no JSON"));
        const odd = yield* Effect.exit(say("odd"));
        assert.isTrue(Exit.isFailure(odd));
        assert.strictEqual((yield* say("next")).payload["id"], "next");
    }).pipe(Effect.provide(roomLog)));
    it.effect("a room buffers entries, and the history has them in order afterwards", () => Effect.gen(function* () {
        const { replay, remove } = yield* RoomLog;
        const outage = yield* Outage;
        const received = [];
        const topics = yield* Topics;
        topics.subscribe(topic, { receive: ({ payload, seq }) => received.push([Object(payload).id, seq]) });
        const before = yield* say("a");
        outage.away = true;
        const first = yield* say("b");
        const second = yield* say("c");
        const bad = yield* say("bad");
        assert.isTrue(yield* remove(topic, "bad"));
        assert.deepStrictEqual([first.seq, second.seq, bad.seq], [before.seq + 1, before.seq + 2, before.seq + 3]);
        assert.deepStrictEqual(yield* say("b"), { ...first, fresh: false });
        const meanwhile = yield* replay(topic, { since: before.seq }, maxBytes);
        assert.deepStrictEqual([ids(meanwhile.entries), meanwhile.recovered], [["b", "c"], false]);
        outage.away = false;
        yield* TestClock.adjust("2 seconds");
        const after = yield* say("d");
        assert.isAbove(after.seq, second.seq);
        const whole = yield* replay(topic, { since: before.seq }, maxBytes);
        assert.deepStrictEqual([ids(whole.entries), whole.recovered], [["b", "c", "d"], true]);
        assert.deepStrictEqual(received.map((one) => (Array.isArray(one) ? one[0] : one)), ["a", "b", "c", "bad", "d"]);
    }).pipe(Effect.provide(roomLog)));
    it.effect("a provisional number hides no entry from a later replay", () => Effect.gen(function* () {
        const { replay } = yield* RoomLog;
        const outage = yield* Outage;
        outage.away = true;
        const first = yield* say("b");
        yield* say("c");
        outage.away = false;
        yield* TestClock.adjust("2 seconds");
        assert.includeMembers(ids((yield* replay(topic, { since: first.seq }, maxBytes)).entries), ["c"]);
    }).pipe(Effect.provide(roomLog)));
    it.effect("the buffer is bounded", () => Effect.gen(function* () {
        ;
        (yield* Outage).away = true;
        yield* Effect.forEach(Array.from({ length: 10_000 }, (_, index) => `m${index}`), say, { concurrency: 100, discard: true });
        const rejected = yield* Effect.flip(say("one too many"));
        assert.strictEqual(rejected._tag, "TransientError");
    }).pipe(Effect.provide(roomLog)));
});
describe.skipIf(Programs.requireProgram("nats-server").missing)("during an outage of NATS", () => {
    it.live("a room stays usable through a crash of the server, and its history is complete afterwards", () => Effect.gen(function* () {
        const server = yield* NatsServer.make();
        const nats = RoomLogModule.layer.pipe(Layer.provideMerge([Topics.layer, Cluster.layerSingleNode]), Layer.provideMerge(NatsHistory.layer()), Layer.provideMerge(NatsConnection.layer({ servers: [server.url] })));
        yield* Effect.gen(function* () {
            const { replay } = yield* RoomLog;
            yield* (yield* NatsConnection.NatsConnection).connected;
            yield* (yield* History).setup;
            const first = yield* say("a");
            yield* server.kill;
            const second = yield* say("b");
            assert.isAbove(second.seq, first.seq);
            assert.isFalse((yield* replay(topic, { since: first.seq }, maxBytes)).recovered);
            yield* server.restart;
            const { entries } = yield* Effect.repeat(replay(topic, { since: first.seq }, maxBytes), {
                until: ({ recovered }) => recovered,
                schedule: Schedule.spaced("100 millis"),
            });
            assert.deepStrictEqual(ids(entries), ["b"]);
        }).pipe(Effect.provide(nats));
    }), { timeout: 30_000 });
});
describe("during an outage of the bus", () => {
    const published = [];
    let isAway = false;
    const unused = () => Effect.die(new Error("not used here"));
    const bus = Layer.mock(EventBus, {
        system: "unavailable",
        deadLetters: { list: unused, get: unused, remove: unused },
        publish: (message) => isAway
            ? Effect.fail(away)
            : Effect.sync(() => {
                published.push(message.id);
                return { duplicate: false };
            }),
    });
    const payload = { message_id: "m", room_id: "r", user_id: "u", content: "hi", timestamp: "2026-01-31T12:00:00Z" };
    it.effect("buffers events, drops the oldest, and publishes the rest after the outage", () => Effect.gen(function* () {
        const { offer, pendingCount } = yield* PublishBuffer.PublishBuffer;
        yield* offer("chat.message", "0", payload);
        yield* TestClock.adjust("1 milli");
        assert.strictEqual(published.length, 1);
        isAway = true;
        for (let n = 1; n <= 7; n++)
            yield* offer("chat.message", `${n}`, payload);
        yield* TestClock.adjust("10 seconds");
        assert.strictEqual(pendingCount(), 5);
        isAway = false;
        yield* TestClock.adjust("2 seconds");
        assert.strictEqual(pendingCount(), 0);
        assert.strictEqual(published.length, 6);
        assert.strictEqual(new Set(published).size, 6);
    }).pipe(Effect.provide(PublishBuffer.layer({ capacity: 5 }).pipe(Layer.provide(bus)))));
});
