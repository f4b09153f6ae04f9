/** Presence replicas against a model: they converge although deltas are lost, late or repeated. */
import { combine, PresenceSet } from "@armoricore/realtime/presence/PresenceSet";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Schema } from "effect";
const nodes = 4;
const small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }));
const Step = Schema.Struct({
    node: small,
    action: Schema.Literals([
        "join",
        "join",
        "leave",
        "update",
        "deliver",
        "repeat",
        "lose",
        "shuffle",
        "crash",
        "restore",
        "flush",
    ]),
    pick: small,
});
/** The refs that a client would compute from joins and leaves. */
const watch = () => {
    const refs = new Set();
    const seen = { refs, faults: 0 };
    return {
        seen,
        onChange: (kind, { meta }) => {
            if (kind === "join" ? refs.has(meta.phx_ref) : !refs.delete(meta.phx_ref))
                seen.faults++;
            if (kind === "join")
                refs.add(meta.phx_ref);
        },
    };
};
const view = (set) => ["a", "b"]
    .flatMap((topic) => [...set.users(topic)].flatMap(([key, metas]) => metas.map(({ phx_ref, status }) => `${topic} ${key} ${phx_ref} ${status}`)))
    .sort();
const modelOf = (all) => all
    .flatMap(({ entries }) => entries)
    .map(({ topic, key, meta }) => `${topic} ${key} ${meta.phx_ref} ${meta.status}`)
    .sort();
const online_at = "2026-01-31T12:00:00Z";
const run = (steps) => {
    let created = 0;
    const watchers = new Map();
    const createNode = () => {
        const { seen, onChange } = watch();
        const set = new PresenceSet(`n${created++}`, onChange);
        watchers.set(set, seen);
        return { set, entries: [], outgoing: [], inbox: [] };
    };
    const all = Array.from({ length: nodes }, createNode);
    const at = (list, index) => list[index % Math.max(1, list.length)];
    const flush = (from) => {
        const delta = combine(from.outgoing.splice(0));
        if (delta !== undefined)
            for (const other of all)
                if (other !== from)
                    other.inbox.push(delta);
    };
    /** Every third change is published at once, with the batched ones before it. */
    const send = (from, delta) => {
        from.outgoing.push(delta);
        if (delta.to % 3 === 0)
            flush(from);
    };
    for (const { node: index, action, pick } of steps) {
        const node = at(all, index);
        if (node === undefined)
            continue;
        const entry = at(node.entries, pick);
        const others = node.entries.filter((candidate) => candidate !== entry);
        switch (action) {
            case "join": {
                const added = node.set.add(pick % 2 === 0 ? "a" : "b", `u${pick % 3}`, { status: "online", online_at });
                node.entries.push(added.entry);
                send(node, added.delta);
                break;
            }
            case "leave":
                if (entry === undefined)
                    break;
                node.entries = others;
                send(node, node.set.remove(entry));
                break;
            case "update": {
                if (entry === undefined)
                    break;
                const replaced = node.set.replace(entry, pick % 2 === 0 ? "away" : "online");
                assert.strictEqual(replaced.entry.meta.phx_ref_prev, entry.meta.phx_ref);
                node.entries = [...others, replaced.entry];
                send(node, replaced.delta);
                break;
            }
            case "deliver":
                for (const delta of node.inbox.splice(0, 1 + (pick % 3)))
                    node.set.merge(delta);
                break;
            case "repeat": {
                const delta = at(node.inbox, pick);
                if (delta !== undefined)
                    node.inbox.push(delta);
                break;
            }
            case "lose":
                node.inbox.splice(pick % (node.inbox.length + 1), 1);
                break;
            case "shuffle":
                node.inbox.sort((a, b) => ((a.to * 7919 + pick) % 13) - ((b.to * 7919 + pick) % 13));
                break;
            case "crash":
                all.splice(all.indexOf(node), 1, createNode());
                for (const other of all)
                    other.set.drop(node.set.node);
                break;
            case "flush":
                flush(node);
                break;
            case "restore": {
                const other = at(all, pick);
                if (other !== undefined)
                    node.set.restore(other.set.snapshot());
                break;
            }
        }
    }
    const alive = new Set(all.map(({ set }) => set.node));
    for (const node of all) {
        for (const delta of node.inbox)
            node.set.merge(delta);
        for (let gone = 0; gone < created; gone++)
            if (!alive.has(`n${gone}`))
                node.set.drop(`n${gone}`);
        for (const other of all)
            node.set.restore(other.set.snapshot());
    }
    for (const { set } of all) {
        assert.deepStrictEqual(view(set), modelOf(all));
        // The reported joins and leaves, each once, add up to the state.
        assert.deepStrictEqual([watchers.get(set)?.faults, [...(watchers.get(set)?.refs ?? [])].sort()], [
            0,
            view(set)
                .map((line) => line.split(" ")[2] ?? "")
                .sort(),
        ]);
    }
};
describe("PresenceSet", () => {
    it.effect.prop("replicas agree with the model after any history", [Schema.Array(Step).check(Schema.isMaxLength(120))], ([steps]) => Effect.sync(() => run(steps)));
    it.effect.prop("a combined delta has the effect of its parts, without entries that were added and removed in between", [Schema.Array(Step).check(Schema.isMaxLength(60))], ([steps]) => Effect.sync(() => {
        const source = new PresenceSet("a");
        const { seen, onChange } = watch();
        const [single, combined] = [new PresenceSet("b"), new PresenceSet("c", onChange)];
        let entries = [];
        let batch = [];
        const flush = () => {
            const delta = combine(batch);
            batch = [];
            if (delta === undefined)
                return;
            const refs = new Set(delta.joins.map(({ meta }) => meta.phx_ref));
            assert.isFalse(delta.leaves.some(({ meta }) => refs.has(meta.phx_ref)));
            assert.strictEqual(combined.merge(delta), "merged");
            assert.deepStrictEqual(view(combined), view(source));
        };
        const apply = (delta) => {
            batch.push(delta);
            assert.strictEqual(single.merge(delta), "merged");
        };
        for (const { action, pick } of steps) {
            const entry = entries[pick % Math.max(1, entries.length)];
            if (action === "join" || entry === undefined) {
                const added = source.add(pick % 2 === 0 ? "a" : "b", `u${pick % 3}`, { status: "online", online_at });
                entries.push(added.entry);
                apply(added.delta);
            }
            else if (action === "leave") {
                entries = entries.filter((other) => other !== entry);
                apply(source.remove(entry));
            }
            else if (action === "update") {
                const replaced = source.replace(entry, pick % 2 === 0 ? "away" : "online");
                entries = [...entries.filter((other) => other !== entry), replaced.entry];
                apply(replaced.delta);
            }
            else if (action === "flush")
                flush();
        }
        flush();
        assert.deepStrictEqual(view(single), view(source));
        assert.strictEqual(seen.faults, 0);
    }));
    it("reports a gap, and applies no delta twice", () => {
        const a = new PresenceSet("a");
        const b = new PresenceSet("b");
        const first = a.add("t", "u", { status: "online", online_at });
        const second = a.replace(first.entry, "away");
        assert.strictEqual(b.merge(second.delta), "gap");
        assert.strictEqual(b.merge(first.delta), "merged");
        assert.strictEqual(b.merge(second.delta), "merged");
        assert.strictEqual(b.merge(first.delta), "known");
        assert.strictEqual(b.restore(a.snapshot()), "known");
        assert.deepStrictEqual(b.users("t"), a.users("t"));
        b.drop("a");
        assert.strictEqual(b.users("t").size, 0);
        assert.strictEqual(b.merge(a.remove(second.entry)), "gap");
        assert.strictEqual(b.restore(a.snapshot()), "merged");
        assert.strictEqual(b.users("t").size, 0);
    });
});
