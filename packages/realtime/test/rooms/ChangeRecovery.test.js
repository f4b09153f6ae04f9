/** A client that is away while messages are sent, edited, removed and reacted to, and one that stays. */
import { RoomLog } from "@armoricore/realtime/rooms/RoomLog";
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Context, Effect } from "effect";
import { joined } from "../support/ChatClient.ts";
import { start } from "../support/TestServer.ts";
const inParallel = { concurrency: 50, discard: true };
/** The actions that the absent client misses, on messages from before and from meanwhile. */
const act = Effect.fnUntraced(function* (writer, earlier, scale) {
    const sent = yield* Effect.forEach(Array.from({ length: 500 * scale }, (_, index) => `while away ${index}`), (content) => writer.say(content), { concurrency: 50 });
    const ids = [...earlier, ...sent.map(({ id }) => id)];
    const every = (step, count, offset) => Array.from({ length: count * scale }, (_, index) => ids[(offset + index * step) % ids.length] ?? "");
    yield* Effect.forEach(every(2, 100, 0), (id) => writer.ask("edit_message", { id, content: `edited ${id}` }), inParallel);
    yield* Effect.forEach(every(3, 200, 1), (id, index) => writer.ask("react", { id, emoji: `:e${index % 7}:` }), inParallel);
    // Some of them are edited or have reactions already; none twice.
    yield* Effect.forEach([...new Set(every(5, 100, 2))], (id) => writer.ask("delete_message", { id }), inParallel);
});
describe("recovery of changes", () => {
    for (const [name, sendsRev] of [
        ["with the `rev` that it received last", true],
        ["with `since` alone", false],
    ])
        it.live(`a client that was away has the same view as one that stayed, ${name}`, () => Effect.gen(function* () {
            const server = yield* start();
            const writer = yield* joined(server, "writer");
            const earlier = [];
            for (let index = 0; index < 40; index++)
                earlier.push((yield* writer.say(`before ${index}`)).id);
            yield* writer.ask("react", { id: earlier[0] ?? "", emoji: "👋" });
            const stayed = yield* joined(server, "stayed");
            const away = yield* joined(server, "away");
            yield* eventually(() => away.messages.get(earlier[0] ?? "")?.reactions !== undefined);
            away.socket.disconnect();
            yield* eventually(() => server.endpoint.size() === 2);
            yield* act(writer, earlier, sendsRev ? 1 : 0.1);
            if (!sendsRev)
                away.forgetRev();
            away.socket.connect();
            yield* eventually(() => away.joins === 2);
            const roomLog = Context.get(server.services, RoomLog);
            const last = yield* roomLog.lastSeq("chat:room:r1");
            yield* eventually(() => away.since === last && JSON.stringify(away.view) === JSON.stringify(stayed.view));
            assert.strictEqual(away.incompleteRecoveries, 0);
            const late = yield* joined(server, "late");
            const shown = new Map(stayed.view.map((message) => [message.id, message]));
            assert.deepStrictEqual(late.view, late.view.map(({ id }) => shown.get(id)));
            // Later changes arrive as before.
            const { id } = yield* writer.say("after");
            yield* writer.ask("edit_message", { id, content: "after all" });
            yield* eventually(() => away.messages.get(id)?.content === "after all");
        }));
});
