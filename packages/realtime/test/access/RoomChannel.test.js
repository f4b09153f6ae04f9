/** Broadcast topics that a file declares, with the unmodified official client. */
import * as ChannelsFile from "@armoricore/realtime/access/ChannelsFile";
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Result } from "effect";
import { Presence, Socket } from "phoenix";
import { WebSocket } from "ws";
import { start } from "../support/TestServer.ts";
const channels = [
    { topic: "room:quiet", presence: false },
    { topic: "room:game-*", events: ["move"], max_payload_bytes: 50, messages_per_second: 1, max_users: 2 },
    { topic: "room:open-*", guests_may_send: true },
    { topic: "room:staff", policy: "members" },
];
const member = Effect.fnUntraced(function* (server, topic, options = {}) {
    const token = yield* server.token(options.user ?? "ann", { roles: options.roles ?? [] });
    const socket = new Socket(server.url, { transport: WebSocket, params: { token }, rejoinAfterMs: () => 60_000 });
    yield* Effect.addFinalizer(() => Effect.sync(() => socket.disconnect()));
    socket.connect();
    const channel = socket.channel(topic, options.params ?? {});
    const received = [];
    channel.on("broadcast", (payload) => received.push(payload));
    const present = { users: [] };
    const presence = new Presence(channel);
    presence.onSync(() => {
        present.users = presence.list((user) => user).sort();
    });
    return { channel, received, present, reply: yield* answer(channel.join()) };
});
const answer = (push) => Effect.callback((resume) => {
    for (const status of ["ok", "error", "timeout"]) {
        push.receive(status, (response) => resume(Effect.succeed({ status, response })));
    }
});
describe("room:{name}", () => {
    it.live("a broadcast reaches the other members, with `self` the sender too", () => Effect.gen(function* () {
        const server = yield* start({ channels });
        const ann = yield* member(server, "room:open-1", { params: { ack: true } });
        const bob = yield* member(server, "room:open-1", { user: "bob", params: { self: true } });
        assert.deepStrictEqual([ann.reply.status, bob.reply.status], ["ok", "ok"]);
        yield* eventually(() => ann.present.users.join() === "ann,bob" && bob.present.users.join() === "ann,bob");
        const acknowledged = yield* answer(ann.channel.push("broadcast", { event: "cursor", payload: { x: 1 } }));
        assert.strictEqual(acknowledged.status, "ok");
        // Without `ack` there is no reply, so the push ends with its timeout.
        const silent = bob.channel.push("broadcast", { event: "cursor", payload: { x: 2 } }, 300);
        assert.strictEqual((yield* answer(silent)).status, "timeout");
        yield* eventually(() => ann.received.length > 0 && bob.received.length > 1);
        assert.deepStrictEqual(ann.received, [{ event: "cursor", payload: { x: 2 }, user_id: "bob" }]);
        assert.deepStrictEqual(bob.received, [
            { event: "cursor", payload: { x: 1 }, user_id: "ann" },
            { event: "cursor", payload: { x: 2 }, user_id: "bob" },
        ]);
    }));
    it.live("the limits of the topic answer with a reason, and the channel lives on", () => Effect.gen(function* () {
        const server = yield* start({ channels });
        const { channel } = yield* member(server, "room:game-7", { params: { ack: true } });
        const push = (payload) => Effect.map(answer(channel.push("broadcast", payload)), ({ response }) => response);
        assert.include(yield* push({ event: "chat", payload: {} }), { reason: "invalid_payload", path: "event" });
        assert.include(yield* push({ event: "move" }), { reason: "invalid_payload", path: "payload" });
        assert.include(yield* push({ event: "move", payload: [] }), { reason: "invalid_payload", path: "payload" });
        assert.include(yield* push({ event: "move", payload: { text: "x".repeat(50) } }), {
            reason: "too_large",
            limit: 50,
        });
        assert.deepStrictEqual(yield* push({ event: "move", payload: {} }), {});
        assert.deepStrictEqual(yield* push({ event: "move", payload: {} }), {});
        assert.include(yield* push({ event: "move", payload: {} }), { reason: "rate_limit" });
        const bob = yield* member(server, "room:game-7", { user: "bob" });
        assert.strictEqual(bob.reply.status, "ok");
        const eve = yield* member(server, "room:game-7", { user: "eve" });
        assert.include(eve.reply.response, { reason: "room_full", limit: 2 });
        const second = yield* member(server, "room:game-7", { user: "bob" });
        assert.strictEqual(second.reply.status, "ok");
    }));
    it.live("guests send only where the file allows it, and undeclared topics do not exist", () => Effect.gen(function* () {
        const server = yield* start({ channels });
        const send = Effect.fnUntraced(function* (topic) {
            const { channel, reply } = yield* member(server, topic, { roles: ["guest"], params: { ack: true } });
            assert.strictEqual(reply.status, "ok");
            return (yield* answer(channel.push("broadcast", { event: "e", payload: {} }))).response["reason"];
        });
        assert.strictEqual(yield* send("room:quiet"), "unauthorized");
        assert.strictEqual(yield* send("room:open-1"), undefined);
        const staff = yield* member(server, "room:staff");
        assert.include(staff.reply.response, { reason: "unauthorized" });
        const other = yield* member(yield* start(), "room:quiet:sub");
        assert.include(other.reply.response, { reason: "unmatched topic" });
    }));
});
describe("CHANNELS_FILE", () => {
    const faults = [
        ["{", "not valid JSON"],
        ["{}", "topics is missing"],
        ['{"topics":[{"topic":"room:a","polcy":"open"}]}', "topics.0.polcy"],
        ['{"topics":[{"topic":"room:a","policy":"closed"}]}', "topics.0.policy", '"closed"', '"members"'],
        ['{"topics":[{"topic":"lobby"}]}', "topics.0.topic", '"lobby"', "must begin with one of room:"],
        ['{"topics":[{"topic":"room:a","max_users":0}]}', "topics.0.max_users", "0"],
        ['{"topics":[{"topic":"chat:room:a","events":["a"]}]}', "topics.0.events", "only for topics that begin with room:"],
        ['{"topics":[{"topic":"room:a","presence":false,"max_users":5}]}', "topics.0.max_users", "needs presence"],
    ];
    for (const [text, ...parts] of faults) {
        it(`names the fault of ${text}`, () => {
            const decoded = ChannelsFile.decode(text);
            const message = Result.isFailure(decoded) ? decoded.failure : "no fault";
            for (const part of parts)
                assert.include(message, part);
        });
    }
    it("accepts a list of topics", () => {
        const text = JSON.stringify({ topics: channels });
        assert.deepStrictEqual(Result.getOrThrow(ChannelsFile.decode(text)), channels);
    });
});
