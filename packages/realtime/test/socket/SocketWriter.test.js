import { Flusher, SocketWriter } from "@armoricore/realtime/socket/SocketWriter";
import { OutgoingFrame } from "@armoricore/realtime/socket/OutgoingFrame";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { eventually } from "@armoricore/testing/Eventually";
/** A socket whose kernel buffer the test fills and empties. */
class FakeWire {
    writable = true;
    full = false;
    writes = [];
    #drained = [];
    write(bytes) {
        this.writes.push(bytes);
        return !this.full;
    }
    once(_, listener) {
        this.#drained.push(listener);
    }
    drain() {
        this.full = false;
        for (const listener of this.#drained.splice(0))
            listener();
    }
    get writableLength() {
        return this.full ? 1 : 0;
    }
    get text() {
        return Buffer.concat(this.writes).toString("latin1");
    }
}
const turn = Effect.callback((resume) => {
    setImmediate(() => resume(Effect.void));
});
const setUp = (limit = 1000) => {
    const flusher = new Flusher();
    const wire = new FakeWire();
    let overflows = 0;
    const missed = [];
    const owner = {
        onMissed: (topic) => missed.push(topic),
        onOverflow: () => overflows++,
        snapshotFrame: ({ event, payload }) => new OutgoingFrame(`${event}${JSON.stringify(payload())}`, false),
    };
    const writer = new SocketWriter(wire, flusher, limit, 10_000);
    writer.attach(owner);
    return { flusher, wire, writer, missed, overflows: () => overflows };
};
const required = (text) => new OutgoingFrame(text, false);
const droppable = (text) => new OutgoingFrame(text, true);
describe("SocketWriter", () => {
    it.effect("frames queued within a turn are sent with one write, in order", () => Effect.gen(function* () {
        const { wire, writer } = setUp();
        for (const text of ["a", "b", "c"])
            writer.send(required(text));
        assert.strictEqual(wire.writes.length, 0);
        yield* turn;
        assert.strictEqual(wire.writes.length, 1);
        assert.strictEqual(wire.text, "\x81\x01a\x81\x01b\x81\x01c");
    }));
    it.live("the frames that arrive after a long flush wait as long as it took, and go out in one write", () => Effect.gen(function* () {
        let now = 1000;
        const wire = new FakeWire();
        const slowWire = {
            writable: true,
            writableLength: 0,
            once: () => { },
            write: (bytes) => {
                now += 15;
                return wire.write(bytes);
            },
        };
        const writer = new SocketWriter(slowWire, new Flusher(() => now), 1000, 10_000);
        writer.send(required("a"));
        yield* turn;
        assert.strictEqual(wire.writes.length, 1);
        writer.send(required("b"));
        yield* turn;
        writer.send(required("c"));
        assert.strictEqual(wire.writes.length, 1);
        yield* eventually(() => wire.writes.length === 2);
        assert.strictEqual(wire.text, "\x81\x01a\x81\x01b\x81\x01c");
        // At low load the pause has passed.
        now += 100;
        writer.send(required("d"));
        yield* turn;
        assert.strictEqual(wire.writes.length, 3);
    }));
    it.effect("sockets with the same frames queued share one buffer", () => Effect.gen(function* () {
        const flusher = new Flusher();
        const wires = [new FakeWire(), new FakeWire(), new FakeWire()];
        const writers = wires.map((wire) => new SocketWriter(wire, flusher, 1000, 10_000));
        for (const frame of [required("a"), required("b")])
            for (const writer of writers)
                writer.send(frame);
        writers[2]?.send(required("c"));
        yield* turn;
        const [first, second, third] = wires.map(({ writes }) => writes[0]);
        assert.strictEqual(first, second);
        assert.strictEqual(wires[2]?.text, "\x81\x01a\x81\x01b\x81\x01c");
        assert.notStrictEqual(first, third);
    }));
    it.effect("a full socket receives no writes until it drains", () => Effect.gen(function* () {
        const { wire, writer } = setUp();
        wire.full = true;
        writer.send(required("a"));
        yield* turn;
        writer.send(required("b"));
        yield* turn;
        assert.strictEqual(wire.text, "\x81\x01a");
        wire.drain();
        assert.strictEqual(wire.text, "\x81\x01a\x81\x01b");
    }));
    it.effect("droppable frames are dropped first, and the others stay in order", () => Effect.gen(function* () {
        const { flusher, wire, writer, overflows } = setUp(13);
        wire.full = true;
        writer.send(required("0"));
        yield* turn;
        for (const frame of [required("a"), droppable("x"), required("b"), droppable("y"), required("c")])
            writer.send(frame);
        assert.strictEqual(flusher.counts.dropped, 2);
        writer.send(droppable("z"));
        assert.strictEqual(overflows(), 0);
        wire.drain();
        assert.strictEqual(wire.text, "\x81\x010\x81\x01a\x81\x01b\x81\x01c\x81\x01z");
    }));
    it.effect("a snapshot replaces dropped changes, once half of the queue is free", () => Effect.gen(function* () {
        const { wire, writer, overflows } = setUp(40);
        let users = 0;
        const snapshot = { topic: "t", event: "state", payload: () => [users] };
        const change = () => writer.send(new OutgoingFrame(`+${++users}`, true, snapshot));
        wire.full = true;
        writer.send(required("0"));
        yield* turn;
        for (let n = 0; n < 9; n++)
            change();
        writer.send(required("a".repeat(10)));
        assert.isBelow(writer.queuedBytes, 40, "dropping the changes made room");
        for (let n = 0; n < 100; n++)
            change();
        assert.strictEqual(writer.queuedBytes, 12, "a pending snapshot takes no room");
        writer.send(required("b".repeat(10)));
        wire.drain();
        const [a, b] = ["a", "b"].map((letter) => `\x81\x0a${letter.repeat(10)}`);
        assert.strictEqual(wire.text, `\x81\x010${a}${b}\x81\x0astate[109]`);
        change();
        yield* turn;
        assert.isTrue(wire.text.endsWith("\x81\x04+110"), "later changes are sent as frames again");
        assert.strictEqual(overflows(), 0);
    }));
    it.effect("a queue with nothing to drop overflows once", () => Effect.gen(function* () {
        const { flusher, wire, writer, overflows } = setUp(7);
        wire.full = true;
        writer.send(required("0"));
        yield* turn;
        for (const text of ["a", "b", "c", "d"])
            writer.send(required(text));
        assert.strictEqual(overflows(), 1);
        assert.strictEqual(writer.queuedBytes, 0);
        assert.deepStrictEqual(flusher.counts, { dropped: 0, overflowed: 1 });
        wire.drain();
        assert.strictEqual(wire.text, "\x81\x010");
    }));
    it.effect("frames that a history can replay are dropped next, and their topic is reported once half of the queue is free", () => Effect.gen(function* () {
        const { flusher, missed, wire, writer, overflows } = setUp(11);
        const replayable = (text, topic) => new OutgoingFrame(text, false, undefined, topic);
        wire.full = true;
        writer.send(required("0"));
        yield* turn;
        for (const frame of [replayable("a", "t"), required("b"), replayable("c", "t"), droppable("x")])
            writer.send(frame);
        writer.send(replayable("d", "t"));
        assert.deepStrictEqual([overflows(), writer.queuedBytes, flusher.counts.dropped], [0, 3, 4]);
        writer.send(replayable("e", "t"));
        writer.send(replayable("f", "u"));
        assert.deepStrictEqual(missed, []);
        wire.drain();
        assert.deepStrictEqual(missed, ["t"]);
        writer.send(replayable("g", "t"));
        yield* turn;
        assert.strictEqual(wire.text, "\x81\x010\x81\x01b\x81\x01f\x81\x01g");
    }));
    it.effect("a full queue that is not read for the stall timeout overflows, one that is read slowly does not", () => Effect.gen(function* () {
        const { wire, writer, overflows } = setUp(5);
        const fill = () => {
            for (const text of ["a", "b"])
                writer.send(new OutgoingFrame(text, false, undefined, "t"));
        };
        wire.full = true;
        writer.send(required("0"));
        yield* turn;
        writer.sweep(0);
        fill();
        writer.send(required("c"));
        for (const now of [0, 9999])
            writer.sweep(now);
        assert.strictEqual(overflows(), 0);
        writer.sweep(10_000);
        assert.strictEqual(overflows(), 1);
    }));
    it.effect("frames of one turn over the limit are offered to the socket before they count", () => Effect.gen(function* () {
        // regression: they overflowed the queue before a byte was written.
        const { wire, writer, overflows } = setUp(100);
        for (let index = 0; index < 100; index++)
            writer.send(required("x".repeat(50)));
        yield* turn;
        assert.strictEqual(overflows(), 0);
        assert.strictEqual(wire.text.length, 5200);
    }));
    it.effect("the reply to a heartbeat precedes the frames that a slow client has not read", () => Effect.gen(function* () {
        const { wire, writer } = setUp();
        wire.full = true;
        writer.send(required("0"));
        yield* turn;
        for (const text of ["a", "b"])
            writer.send(required(text));
        writer.sendFirst(required("h"));
        wire.drain();
        assert.strictEqual(wire.text, "\x81\x010\x81\x01h\x81\x01a\x81\x01b");
    }));
    it.effect("a large queue is sent in batches, and a frame larger than a batch is sent alone", () => Effect.gen(function* () {
        const { wire, writer } = setUp(10_000_000);
        const frames = [
            required("a".repeat(40_000)),
            required("b".repeat(40_000)),
            required("c".repeat(200_000)),
            required("d"),
        ];
        for (const frame of frames)
            writer.send(frame);
        yield* turn;
        assert.isAbove(wire.writes.length, 2);
        assert.strictEqual(wire.text, Buffer.concat(frames.map((frame) => frame.wireBytes)).toString("latin1"));
    }));
    it.effect("the queue of a socket that is no longer writable is discarded", () => Effect.gen(function* () {
        const { wire, writer } = setUp();
        wire.writable = false;
        writer.send(required("a"));
        yield* turn;
        writer.send(required("b"));
        assert.strictEqual(writer.queuedBytes, 0);
        assert.strictEqual(wire.writes.length, 0);
    }));
});
