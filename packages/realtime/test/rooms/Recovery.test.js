/** A client that loses its connection many times, but no message. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as EmbeddedEngine from "@armoricore/embedded/EmbeddedEngine";
import * as EmbeddedHistory from "@armoricore/history/embedded/EmbeddedHistory";
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory";
import { RoomLog } from "@armoricore/realtime/rooms/RoomLog";
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Context, Effect, Layer } from "effect";
import { Socket } from "phoenix";
import { WebSocket } from "ws";
import { start } from "../support/TestServer.ts";
const topic = "chat:room:busy";
const messages = 10_000;
const reconnects = 50;
const writers = 50;
const timestamp = "2026-01-31T12:00:00Z";
/** The official client, as an application uses it: it joins with its last received `seq`. */
const reader = Effect.fnUntraced(function* (server) {
    const token = yield* server.token("reader");
    const got = [];
    let joins = 0;
    let gaps = 0;
    const socket = new Socket(server.url, {
        transport: WebSocket,
        params: { token },
        reconnectAfterMs: () => 10,
        rejoinAfterMs: () => 10,
    });
    yield* Effect.addFinalizer(() => Effect.sync(() => socket.disconnect()));
    const channel = socket.channel(topic, () => {
        const last = got.at(-1);
        return last === undefined ? {} : { since: last.seq };
    });
    /** Messages that arrived while pages were missing before them. */
    let held;
    channel.on("new_message", (message) => (held ?? got).push(message));
    const addPage = ({ messages: page, more }) => {
        got.push(...page);
        const last = got.at(-1)?.seq ?? 0;
        if (more) {
            held ??= [];
            channel.push("history", { after: last }).receive("ok", (reply) => addPage(reply));
        }
        else {
            got.push(...(held ?? []).filter(({ seq }) => seq > last));
            held = undefined;
        }
    };
    socket.connect();
    channel.join().receive("ok", (reply) => {
        const { recovered, ...page } = reply;
        held = undefined;
        addPage(page);
        joins++;
        if (!recovered)
            gaps++;
    });
    return { got, socket, joins: () => joins, gaps: () => gaps };
});
/** How far the writers are ahead of a disconnected reader at most. */
const maxAhead = 800;
/** Appends its share in sequence, as a client of the room would, without a socket. */
const write = Effect.fnUntraced(function* (server, name, read) {
    const roomLog = Context.get(server.services, RoomLog);
    for (let index = 0; index < messages / writers; index++) {
        const id = `${name}-${index}`;
        const payload = { id, content: `${name} ${index}`, user_id: `w${name}`, room_id: "busy", timestamp };
        yield* eventually(() => index * writers - read() < maxAhead, { timeout: "1 minute" });
        yield* roomLog.append(topic, { event: "new_message", id, payload });
    }
});
/** The memory history appends at once; the embedded engine has many appends in flight. */
const embedded = Layer.unwrap(Effect.map(Effect.acquireRelease(Effect.promise(() => mkdtemp(join(tmpdir(), "armoricore-recovery-"))), (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))), (folder) => EmbeddedHistory.layer({ maxPerRoom: 2 * messages }).pipe(Layer.provide(EmbeddedEngine.layerOwner({ folder })))));
describe.each([
    ["memory", MemoryHistory.layer({ maxPerRoom: 2 * messages })],
    ["embedded", embedded],
])("recovery from %s", (_, history) => {
    it.live(`${messages} messages over ${reconnects} reconnects: none missed, none twice, in order`, () => Effect.gen(function* () {
        const server = yield* start({}, 0, history);
        const client = yield* reader(server);
        yield* eventually(() => client.joins() === 1, { timeout: "1 minute" });
        const cut = Effect.gen(function* () {
            for (let time = 1; time <= reconnects; time++) {
                yield* eventually(() => client.joins() === time && client.got.length >= (messages / (reconnects + 1)) * time, { timeout: "1 minute" });
                // Terminated, not closed: frames in flight are lost.
                const { conn } = client.socket;
                conn.terminate();
            }
        });
        yield* Effect.all([cut, ...Array.from({ length: writers }, (_, index) => write(server, index, () => client.got.length))], {
            concurrency: "unbounded",
        });
        yield* eventually(() => client.joins() === reconnects + 1 && client.got.length >= messages, {
            timeout: "1 minute",
        });
        assert.strictEqual(client.gaps(), 0);
        assert.strictEqual(client.got.length, messages);
        const seqs = client.got.map(({ seq }) => seq);
        assert.isTrue(seqs.every((seq, index) => index === 0 || seq === (seqs[index - 1] ?? 0) + 1));
        for (let writer = 0; writer < writers; writer++) {
            const mine = client.got.filter(({ content }) => content.startsWith(`${writer} `));
            assert.deepStrictEqual(mine.map(({ content }) => Number(content.split(" ")[1])), mine.map((_, index) => index));
        }
    }), { timeout: 60_000 });
});
