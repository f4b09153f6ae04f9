/** Messages between nodes: formats, number and size. */
import { EventBus } from "@armoricore/bus/EventBus";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import { Cluster, allNodes } from "@armoricore/realtime/cluster/Cluster";
import { fragment, Reassembler } from "@armoricore/worker/control/MessageFragments";
import { ownerOf } from "@armoricore/realtime/cluster/Rendezvous";
import { decode, encode } from "@armoricore/realtime/cluster/BroadcastMessage";
import * as RoomEntry from "@armoricore/realtime/rooms/RoomEntry";
import { serializer } from "@armoricore/realtime/protocol/SerializerV2";
import { serializer as v1 } from "@armoricore/realtime/protocol/SerializerV1";
import { assert, describe, it } from "@effect/vitest";
import { Context, Duration, Effect, Exit, Fiber, Layer, Queue, Schema, Scope } from "effect";
import { TestClock } from "effect/testing";
const message = (payload, more = {}) => ({
    node: "n1",
    id: 7,
    isEchoed: true,
    event: "said",
    droppable: false,
    seq: undefined,
    subtopic: undefined,
    payload,
    ...more,
});
describe("messages between nodes", () => {
    it("a received broadcast encodes to the same frame as on its sender", () => {
        for (const payload of [{}, { text: 'é日🎬 \n "quoted"' }, { deep: [{ a: null }] }, Uint8Array.of(0, 10, 255)]) {
            const got = decode(encode(message(payload, { seq: 3, subtopic: "presence", droppable: true })));
            assert.deepInclude(got, {
                node: "n1",
                id: 7,
                isEchoed: true,
                event: "said",
                seq: 3,
                subtopic: "presence",
                droppable: true,
            });
            const frames = [payload, got?.payload ?? {}].map((one) => serializer.broadcast("room:a", "said", one));
            assert.deepStrictEqual(frames[1], frames[0]);
            assert.deepStrictEqual(v1.broadcast("room:a", "said", got?.payload ?? {}), v1.broadcast("room:a", "said", payload));
        }
        for (const body of ["", "\n", "{}\n{}", "[1]\n", "not json"])
            assert.isUndefined(decode(Buffer.from(body)));
    });
    it("a raw history entry encodes to the same frame as the decoded one, with its number", () => {
        for (const payload of [{}, { content: 'é "}" ' }, { a: { seq: 1 } }]) {
            for (const droppable of [false, true]) {
                const item = { seq: 42, id: "x", body: RoomEntry.encode({ event: "new_message", payload, droppable }) };
                const raw = RoomEntry.decodeRaw(item);
                assert.deepInclude(raw, { event: "new_message", seq: 42, droppable });
                assert.strictEqual(serializer.broadcast("t", "e", raw.payload), serializer.broadcast("t", "e", RoomEntry.decode(item).payload));
            }
        }
        const odd = { seq: 1, id: "x", body: Buffer.from(`{"payload":{"a":1},"event":"Odd-Name"}`) };
        assert.deepStrictEqual(JSON.parse(JSON.stringify(RoomEntry.decodeRaw(odd).payload)), { a: 1, seq: 1 });
    });
    it("a message above the bus limit is sent in fragments; a lost fragment loses only its message", () => {
        const text = "é".repeat(700_000);
        const parts = fragment("n1.1", text);
        assert.isAbove(parts.length, 2);
        for (const part of parts)
            assert.isBelow(part.byteLength, 1_000_000);
        const reassembler = new Reassembler();
        assert.deepStrictEqual(parts.map((part) => reassembler.add(part)), parts.map((_, index) => (index === parts.length - 1 ? text : undefined)));
        for (const part of fragment("n1.2", text).slice(1))
            assert.isUndefined(reassembler.add(part));
        assert.strictEqual(reassembler.add(Buffer.from("{}")), "{}");
    });
    it("owners are spread evenly, and a node that leaves moves only its own keys", () => {
        const nodes = Array.from({ length: 5 }, (_, index) => `node${index}`);
        const users = Array.from({ length: 5000 }, (_, index) => `user-${index}`);
        const before = users.map((user) => ownerOf(user, nodes));
        for (const node of nodes) {
            const share = before.filter((owner) => owner === node).length;
            assert.isAbove(share, 800);
            assert.isBelow(share, 1200);
        }
        const left = nodes.slice(1);
        users.forEach((user, index) => {
            if (before[index] !== "node0")
                assert.strictEqual(ownerOf(user, left), before[index]);
        });
    });
});
describe("Cluster", () => {
    const nodesOf = Effect.fnUntraced(function* (count) {
        const bus = yield* Layer.build(MemoryBus.layer);
        const times = { heartbeatInterval: Duration.seconds(5), nodeTimeout: Duration.seconds(15) };
        const received = { messages: 0 };
        const counted = Context.add(bus, EventBus, {
            ...Context.get(bus, EventBus),
            subscribe: (address, onMessage, onGap) => Context.get(bus, EventBus).subscribe(address, (one) => {
                received.messages++;
                onMessage(one);
            }, onGap),
        });
        const layer = Layer.fresh(Cluster.layer(times)).pipe(Layer.provide(Layer.succeedContext(counted)));
        const nodes = yield* Effect.forEach(Array.from({ length: count }), () => Effect.gen(function* () {
            const scope = yield* Scope.make();
            const services = yield* Effect.provideService(Layer.build(layer), Scope.Scope, scope);
            return { ...Context.get(services, Cluster), end: Scope.close(scope, Exit.void) };
        }));
        return { nodes, received };
    });
    it.effect("nodes discover each other, exchange requests, and notice a leave", () => Effect.gen(function* () {
        const { nodes } = yield* nodesOf(3);
        const [a, b, c] = nodes;
        if (a === undefined || b === undefined || c === undefined)
            return assert.fail();
        for (const node of nodes)
            assert.strictEqual(node.otherNodes().length, 2);
        for (const node of [b, c])
            yield* node.on("twice", Schema.Finite, ({ value, reply }) => reply(value * 2));
        assert.strictEqual(yield* a.request(b.node, "twice", 21, Schema.Finite), 42);
        const { replies, unresponsive } = yield* a.requestAll("twice", 2, Schema.Finite);
        assert.deepStrictEqual([replies.map(({ value }) => value), unresponsive], [[4, 4], []]);
        const notes = yield* Queue.unbounded();
        yield* b.on("note", Schema.String, ({ from, value }) => Queue.offerUnsafe(notes, `${from} ${value}`));
        yield* a.send(allNodes, "note", "hello");
        assert.strictEqual(yield* Queue.take(notes), `${a.node} hello`);
        const changes = [];
        yield* a.onNodeChange((change, node) => changes.push(`${change} ${node}`));
        yield* c.end;
        assert.deepStrictEqual([changes, a.otherNodes()], [[`left ${c.node}`], [b.node]]);
        yield* TestClock.adjust("1 minute");
        assert.deepStrictEqual(a.otherNodes(), [b.node]);
    }));
    it.effect("a request to a node that leaves ends at once", () => Effect.gen(function* () {
        const { nodes } = yield* nodesOf(3);
        const [a, b, c] = nodes;
        if (a === undefined || b === undefined || c === undefined)
            return assert.fail();
        yield* b.on("slow", Schema.Null, () => { });
        yield* c.on("slow", Schema.Null, ({ reply }) => reply(1));
        const one = yield* Effect.forkChild(a.request(b.node, "slow", null, Schema.Finite, Duration.hours(1)));
        const all = yield* Effect.forkChild(a.requestAll("slow", null, Schema.Finite));
        yield* Effect.yieldNow;
        yield* b.end;
        assert.isUndefined(yield* Fiber.join(one));
        const { replies, unresponsive } = yield* Fiber.join(all);
        assert.deepStrictEqual([replies.map(({ node }) => node), unresponsive], [[c.node], [b.node]]);
    }));
    it.effect("an idle node receives one message per node and heartbeat interval", () => Effect.gen(function* () {
        for (const count of [2, 10, 50]) {
            const { received } = yield* nodesOf(count);
            received.messages = 0;
            yield* TestClock.adjust("10 seconds");
            assert.strictEqual(received.messages, 2 * count * count);
        }
    }));
});
