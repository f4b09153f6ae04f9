/** Edits, removals, reactions and read state over three nodes, one of which is cut off for a while. */
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { joined } from "../support/ChatClient.ts";
import { make } from "../support/TestCluster.ts";
describe("changes of messages over several nodes", () => {
    it.live("members of every node agree after a partition, and so do users who join later", () => Effect.gen(function* () {
        const { node } = yield* make();
        const nodes = [yield* node(), yield* node(), yield* node()];
        const [ann, bob, cut] = [
            yield* joined(nodes[0], "ann"),
            yield* joined(nodes[1], "bob"),
            yield* joined(nodes[2], "cut"),
        ];
        const sent = yield* Effect.forEach(["0", "1", "2", "3", "4"], (content) => ann.say(content));
        const id = (index) => sent[index]?.id ?? "";
        const members = [ann, bob, cut];
        yield* eventually(() => members.every(({ messages }) => messages.size === 5));
        yield* nodes[2].cut;
        // Concurrent changes of one message on two nodes: every member ends with the state that is stored.
        yield* Effect.all([
            ...Array.from({ length: 5 }, (_, n) => ann.ask("edit_message", { id: id(0), content: `ann ${n}` })),
            ann.ask("react", { id: id(1), emoji: "👍" }),
            bob.ask("react", { id: id(1), emoji: "👍" }),
            bob.ask("react", { id: id(1), emoji: "🎉" }),
            ann.ask("delete_message", { id: id(2) }),
            ann.ask("mark_read", { seq: sent[1]?.seq }),
            bob.ask("mark_read", { seq: sent[4]?.seq }),
        ], { concurrency: "unbounded" });
        const refused = yield* cut.push("edit_message", { id: id(3), content: "lost" });
        assert.deepStrictEqual(refused, { status: "error", response: { reason: "unavailable" } });
        yield* cut.say("from the other side");
        yield* cut.ask("mark_read", { seq: sent[3]?.seq });
        assert.strictEqual(cut.messages.get(id(0))?.content, "0");
        yield* nodes[2].heal;
        yield* eventually(() => ann.messages.size === 5 && ann.messages.get(id(1))?.reactions?.["👍"] === 2);
        const late = yield* joined(nodes[2], "late");
        yield* eventually(() => members.every(({ view }) => JSON.stringify(view) === JSON.stringify(late.view)));
        assert.deepStrictEqual(late.messages.get(id(1))?.reactions, { "👍": 2, "🎉": 1 });
        assert.isFalse(late.messages.has(id(2)));
        const expected = { ann: sent[1]?.seq, bob: sent[4]?.seq, cut: sent[3]?.seq };
        for (const client of members)
            yield* eventually(client.ask("read_state", {}), ({ users }) => JSON.stringify(Object.entries(Object(users)).sort()) === JSON.stringify(Object.entries(expected)));
    }));
});
