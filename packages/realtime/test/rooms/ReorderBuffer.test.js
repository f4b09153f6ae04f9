import { ReorderBuffer } from "@armoricore/realtime/rooms/ReorderBuffer";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Schema } from "effect";
const body = new Uint8Array();
const small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 30 }));
const Step = Schema.Struct({
    action: Schema.Literals(["append", "append", "deliver", "deliver", "repeat", "lose", "swap", "remove", "read"]),
    pick: small,
});
const run = (steps) => {
    const buffer = new ReorderBuffer();
    const history = [];
    /** On their way to this node. */
    const inbox = [];
    const delivered = [];
    const removed = new Set();
    let last = 0;
    const deliver = (items) => delivered.push(...items.map(({ seq }) => seq));
    const read = () => {
        const upTo = buffer.highestBuffered;
        deliver(buffer.backfill(history.filter(({ seq }) => seq > (buffer.lastSeq ?? 0)), upTo));
    };
    deliver(buffer.start(0));
    for (const { action, pick } of steps) {
        const index = pick % Math.max(1, inbox.length);
        const added = inbox[index];
        switch (action) {
            case "append": {
                // Numbers have gaps, as those of a stream that many rooms share.
                const item = { seq: last + 1 + (pick % 3), id: `i${last}`, body };
                inbox.push({ item, previousSeq: last });
                history.push(item);
                last = item.seq;
                break;
            }
            case "deliver":
                if (added !== undefined)
                    deliver(buffer.push(added));
                inbox.splice(index, 1);
                break;
            case "repeat":
                if (added !== undefined)
                    inbox.push(added);
                break;
            case "lose":
                inbox.splice(index, 1);
                break;
            case "swap":
                inbox.reverse();
                break;
            case "remove": {
                const [gone] = history.splice(pick % Math.max(1, history.length), 1);
                if (gone !== undefined)
                    removed.add(gone.seq);
                break;
            }
            case "read":
                read();
                break;
        }
    }
    for (const added of inbox)
        deliver(buffer.push(added));
    read();
    assert.isFalse(buffer.hasGap);
    assert.deepStrictEqual(delivered, [...new Set(delivered)].sort((a, b) => a - b));
    for (const { seq } of history)
        assert.include(delivered, seq);
    for (const seq of delivered)
        assert.isTrue(removed.has(seq) || history.some((item) => item.seq === seq));
};
describe("ReorderBuffer", () => {
    it.effect.prop("releases every item once and in order, after any sequence of steps", [Schema.Array(Step).check(Schema.isMaxLength(80))], ([steps]) => Effect.sync(() => run(steps)));
    it("buffers an early item until its predecessor arrives, and every item until `start`", () => {
        const buffer = new ReorderBuffer();
        const item = (seq) => ({ seq, id: `i${seq}`, body });
        assert.deepStrictEqual(buffer.push({ item: item(7), previousSeq: 5 }), []);
        assert.deepStrictEqual(buffer.start(5), [item(7)]);
        assert.deepStrictEqual(buffer.push({ item: item(12), previousSeq: 9 }), []);
        assert.isTrue(buffer.hasGap);
        assert.deepStrictEqual(buffer.push({ item: item(9), previousSeq: 7 }), [item(9), item(12)]);
        assert.isFalse(buffer.hasGap);
        assert.deepStrictEqual(buffer.push({ item: item(9), previousSeq: 7 }), []);
    });
});
