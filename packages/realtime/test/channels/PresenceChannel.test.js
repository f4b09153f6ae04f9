/** Presence as the `Presence` class of the official client computes it. */
import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Context, Duration, Effect } from "effect";
import { Presence, Socket } from "phoenix";
import { WebSocket } from "ws";
import { connect, joined, start } from "../support/TestServer.ts";
const answered = (push) => Effect.callback((resume) => {
    push.receive("ok", () => resume(Effect.void));
});
const present = Effect.fnUntraced(function* (server, user, topic, params = {}) {
    const token = yield* server.token(user);
    const socket = new Socket(server.url, { transport: WebSocket, params: { token } });
    yield* Effect.addFinalizer(() => Effect.sync(() => socket.disconnect()));
    socket.connect();
    const channel = socket.channel(topic, params);
    const presence = new Presence(channel);
    const seen = [];
    presence.onJoin((key, current) => seen.push(`${current === undefined ? "+" : "+again "}${key}`));
    presence.onLeave((key, current) => seen.push(`${current.metas.length === 0 ? "-" : "-one "}${key}`));
    yield* answered(channel.join());
    return {
        socket,
        channel,
        presence,
        seen,
        users: () => presence
            .list((key, { metas }) => `${key}:${metas.map(({ status }) => String(status)).join("+")}`)
            .sort()
            .join(" "),
    };
});
const room = "presence:room:r1";
describe("presence", () => {
    it.live("a slow client receives the current state in place of dropped changes", () => Effect.gen(function* () {
        const server = yield* start({ limits: { maxQueuedBytes: 300_000 } });
        const slow = yield* present(server, "slow", room);
        const quick = yield* present(server, "quick", room);
        yield* answered(slow.socket.channel("room:noise").join());
        let [slowDiffs, quickDiffs] = [0, 0];
        slow.channel.on("presence_diff", () => slowDiffs++);
        quick.channel.on("presence_diff", () => quickDiffs++);
        const { conn } = slow.socket;
        conn.pause();
        // Far more than the kernel buffers, so that the queue is full at each change.
        const noise = { text: "x".repeat(100_000) };
        const flood = Effect.forEach(Array.from({ length: 200 }), () => Effect.callback((resume) => {
            server.topics.deliver("room:noise", "noise", noise, { droppable: true });
            setImmediate(() => resume(Effect.void));
        }), { discard: true });
        yield* flood;
        for (let n = 0; n < 10; n++) {
            const before = quickDiffs;
            const guest = yield* joined(server, room, { user: `guest-${n}` });
            yield* eventually(() => quickDiffs > before);
            if (n % 2 === 0)
                guest.ws.terminate();
            yield* eventually(() => server.endpoint.size() === 2 + Math.floor((n + 1) / 2));
            yield* flood;
        }
        yield* eventually(() => quick.presence.list((key) => key).length === 7);
        conn.resume();
        yield* eventually(() => slow.users() === quick.users());
        assert.isBelow(slowDiffs, quickDiffs);
        const last = yield* joined(server, room, { user: "last" });
        yield* eventually(() => slow.users().includes("last:online"));
        last.ws.terminate();
        yield* eventually(() => !slow.users().includes("last"));
    }));
    it.live("tracks joins, status changes and leaves of several sockets per user", () => Effect.gen(function* () {
        const server = yield* start();
        const ann = yield* present(server, "ann", room);
        yield* eventually(() => ann.users() === "ann:online");
        const bob = yield* present(server, "bob", room, { status: "away" });
        yield* eventually(() => ann.users() === "ann:online bob:away" && bob.users() === ann.users());
        const second = yield* present(server, "ann", room);
        yield* eventually(() => bob.users() === "ann:online+online bob:away");
        bob.channel.push("update_status", { status: "online" });
        yield* eventually(() => ann.users() === "ann:online+online bob:online" && second.users() === ann.users());
        second.socket.disconnect();
        yield* eventually(() => bob.users() === "ann:online bob:online");
        bob.channel.leave();
        yield* eventually(() => ann.users() === "ann:online");
        // The first diff repeats the member's own entry of the state; the client merges the two.
        assert.deepStrictEqual(ann.seen, [
            "+ann",
            "+again ann",
            "+bob",
            "+again ann",
            "+again bob",
            "-one bob",
            "-one ann",
            "-bob",
        ]);
    }));
    it.live("lists a user whose id is a property name of JavaScript objects", () => Effect.gen(function* () {
        // regression: no list included such a user. All three joins fall into one batch.
        const server = yield* start({ presence: { batchWindow: Duration.seconds(1) } });
        const users = ["__proto__", "constructor"];
        for (const user of users)
            yield* joined(server, room, { user });
        const client = yield* joined(server, room, { user: "ann" });
        const [, , , event, state] = yield* client.next;
        assert.strictEqual(event, "presence_state");
        assert.sameMembers(Object.keys(state), [...users, "ann"]);
        const [, , , , { joins }] = yield* client.next;
        assert.sameMembers(Object.keys(Object(joins)), [...users, "ann"]);
    }));
    it.live("is sent on chat only to members that request it", () => Effect.gen(function* () {
        const server = yield* start();
        const quiet = yield* joined(server, "chat:room:r1", { user: "quiet" });
        const ann = yield* present(server, "ann", "chat:room:r1", { presence: true });
        yield* eventually(() => ann.users() === "ann:online");
        yield* quiet.nothing;
    }));
    it.live("sends the reply to a join first, then the state, then changes", () => Effect.gen(function* () {
        const server = yield* start();
        const client = yield* joined(server, room, { user: "ann" });
        const [, , , first, state] = yield* client.next;
        assert.strictEqual(first, "presence_state");
        const [, , , second, diff] = yield* client.next;
        assert.strictEqual(second, "presence_diff");
        assert.deepStrictEqual(diff, { joins: state, leaves: {} });
    }));
    it.live("sends counts for a room over the list limit, and the list again once it is smaller", () => Effect.gen(function* () {
        const server = yield* start({ presence: { maxListed: 5 } });
        const first = yield* present(server, "first", room);
        let count = 0;
        first.channel.on("presence_count", ({ count: now }) => (count = Number(now)));
        const others = yield* Effect.forEach(["a", "b", "c", "d", "e", "f"], (user) => present(server, user, room));
        yield* eventually(() => count === 7 && first.users() === "");
        assert.strictEqual(others[5]?.users(), "");
        for (const other of others.slice(1))
            other.socket.disconnect();
        yield* eventually(() => first.users() === "a:online first:online");
    }));
    it.live("a socket that closes during its join leaves no entry", () => Effect.gen(function* () {
        const server = yield* start();
        const ann = yield* present(server, "ann", room);
        for (let n = 0; n < 20; n++) {
            const client = yield* connect(server, { user: `passer-${n}` });
            client.send("1", "1", room, "phx_join", {});
            client.send("1", "2", "chat:room:r1", "phx_join", { presence: true });
            if (n % 2 === 0)
                client.ws.terminate();
            else
                yield* Effect.andThen(client.next, Effect.sync(() => client.ws.terminate()));
        }
        yield* eventually(() => server.endpoint.size() === 1);
        yield* eventually(() => ann.users() === "ann:online");
        const late = yield* present(server, "late", "chat:room:r1", { presence: true });
        yield* eventually(() => late.users() === "late:online");
    }));
    it.live("a room that empties and fills again at once lists no departed user", () => Effect.gen(function* () {
        const server = yield* start();
        for (let n = 0; n < 5; n++) {
            const topic = `presence:room:quick-${n}`;
            const passer = yield* joined(server, topic, { user: "passer" });
            passer.ws.terminate();
            yield* eventually(() => server.endpoint.sockets().every(({ identity }) => identity.userId !== "passer"));
            const late = yield* present(server, "late", topic);
            const last = yield* present(server, "last", topic);
            // Changes arrive in order, so changes about the passer would have arrived before this one.
            yield* eventually(() => late.users().includes("last:online"));
            assert.strictEqual(late.users(), "last:online late:online");
            late.socket.disconnect();
            last.socket.disconnect();
        }
    }));
    it.live("publishes a user's first join, status changes and last leave on the bus", () => Effect.gen(function* () {
        const server = yield* start();
        const published = [];
        yield* Context.get(server.services, EventBus).subscribe(Address.event("presence.update"), ({ body }) => {
            const { payload } = JSON.parse(new TextDecoder().decode(body));
            published.push(`${payload.user_id} ${payload.room_id} ${payload.status}`);
        });
        const one = yield* present(server, "ann", room);
        const two = yield* present(server, "ann", "chat:room:r1", { presence: true });
        one.channel.push("update_status", { status: "away" });
        yield* eventually(() => published.length === 2);
        one.socket.disconnect();
        yield* eventually(() => server.endpoint.size() === 1);
        two.socket.disconnect();
        yield* eventually(() => published.length === 3);
        assert.deepStrictEqual(published, ["ann r1 online", "ann r1 away", "ann r1 offline"]);
    }));
});
