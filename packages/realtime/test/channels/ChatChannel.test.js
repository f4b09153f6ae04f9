import { assert, describe, it } from "@effect/vitest";
import { EventBus } from "@armoricore/bus/EventBus";
import * as Address from "@armoricore/bus/Address";
import { Context, Deferred, Effect } from "effect";
import { connect, start } from "../support/TestServer.ts";
const topic = "chat:room:r1";
const join = Effect.fnUntraced(function* (client, payload = {}) {
    client.send("1", "1", topic, "phx_join", payload);
    return yield* client.next;
});
const member = Effect.fnUntraced(function* (server, user, payload = {}) {
    const client = yield* connect(server, { user });
    const [, , , , reply] = yield* join(client, payload);
    assert.strictEqual(reply["status"], "ok");
    return client;
});
const sendMessage = (client, content, clientId) => client.send("1", "2", topic, "new_message", clientId === undefined ? { content } : { content, client_id: clientId });
/** The reply to the last push, with the frames that arrived before it. */
const answer = Effect.fnUntraced(function* (client) {
    const before = [];
    for (;;) {
        const frame = yield* client.next;
        if (frame[3] === "phx_reply")
            return { ...statusOf(frame), before };
        before.push(frame);
    }
});
const statusOf = ([, , , , { status, response }]) => ({
    status,
    response: Object(response),
});
const next = Effect.fnUntraced(function* (client, event) {
    for (;;) {
        const frame = yield* client.next;
        if (frame[3] === event)
            return frame[4];
    }
});
describe("chat", () => {
    it.live("broadcasts a message to all members including the sender, and stores it", () => Effect.gen(function* () {
        const server = yield* start();
        const ann = yield* member(server, "ann");
        const bob = yield* member(server, "bob");
        sendMessage(ann, "hello 🎬");
        const { status, response, before } = yield* answer(ann);
        assert.strictEqual(status, "ok");
        assert.deepStrictEqual({ ...response, id: "", seq: 0, timestamp: "" }, { id: "", seq: 0, content: "hello 🎬", user_id: "ann", room_id: "r1", timestamp: "" });
        const mine = before.length > 0 ? before[0]?.[4] : yield* next(ann, "new_message");
        assert.deepStrictEqual(mine, response);
        assert.deepStrictEqual(yield* next(bob, "new_message"), response);
        const late = yield* connect(server, { user: "late" });
        const [, , , , reply] = yield* join(late);
        assert.deepStrictEqual(reply["response"], { messages: [response], recovered: true, more: false });
    }));
    it.live("treats a repeated client_id of a user as the same message", () => Effect.gen(function* () {
        const server = yield* start();
        const ann = yield* member(server, "ann");
        sendMessage(ann, "once", "c1");
        const first = yield* answer(ann);
        if (first.before.length === 0)
            yield* next(ann, "new_message");
        sendMessage(ann, "once more", "c1");
        const repeated = yield* answer(ann);
        assert.deepStrictEqual(repeated.response, first.response);
        assert.deepStrictEqual(repeated.before, []);
        yield* ann.nothing;
        const bob = yield* member(server, "bob");
        sendMessage(bob, "mine", "c1");
        assert.notStrictEqual((yield* answer(bob)).response["id"], first.response["id"]);
    }));
    it.live("rejects invalid content with `invalid_payload` and continues", () => Effect.gen(function* () {
        const ann = yield* member(yield* start(), "ann");
        // The last one is a lone surrogate, which PHP consumers of the bus cannot decode.
        for (const content of [
            "",
            "x".repeat(4001),
            7,
            null,
            undefined,
            "cut \ud83c",
            "  \n",
            "\u200b\u2060",
            "\u2800\u3164\u202e",
            "\u0301\u20dd \u0e34",
        ]) {
            sendMessage(ann, content);
            const { status, response } = yield* answer(ann);
            assert.strictEqual(status, "error");
            assert.deepStrictEqual({ ...response, message: "" }, { reason: "invalid_payload", path: "content", message: "" });
        }
        sendMessage(ann, "🎬".repeat(4000));
        assert.strictEqual((yield* answer(ann)).status, "ok");
    }));
    it.live("replays entries after `since` in order, and reports `recovered: false` if entries are missing", () => Effect.gen(function* () {
        const server = yield* start();
        const ann = yield* member(server, "ann");
        const seqs = [];
        for (let n = 0; n < 60; n++) {
            sendMessage(ann, `m${n}`);
            seqs.push((yield* answer(ann)).response["seq"]);
        }
        const replyTo = Effect.fnUntraced(function* (payload) {
            const [, , , , { response }] = yield* join(yield* connect(server, { user: "bob" }), payload);
            const { messages, recovered, more } = response;
            return { first: messages[0]?.content, count: messages.length, recovered, more };
        });
        assert.deepStrictEqual(yield* replyTo({}), { first: "m10", count: 50, recovered: true, more: true });
        assert.deepStrictEqual(yield* replyTo({ last: 3 }), { first: "m57", count: 3, recovered: true, more: true });
        assert.deepStrictEqual(yield* replyTo({ since: seqs[1] }), {
            first: "m2",
            count: 58,
            recovered: true,
            more: false,
        });
        assert.deepStrictEqual(yield* replyTo({ since: seqs[59] }), {
            first: undefined,
            count: 0,
            recovered: true,
            more: false,
        });
        assert.deepStrictEqual(yield* replyTo({ since: seqs[1], last: 5 }), {
            first: "m2",
            count: 5,
            recovered: true,
            more: true,
        });
        assert.deepStrictEqual(yield* replyTo({ since: 1 }), { first: "m0", count: 60, recovered: false, more: false });
        const pageOf = Effect.fnUntraced(function* (request) {
            ann.send("1", "3", topic, "history", request);
            const { messages, more, recovered } = (yield* answer(ann)).response;
            return { first: messages[0]?.content, more, recovered };
        });
        assert.deepStrictEqual(yield* pageOf({ after: seqs[1], limit: 2 }), { first: "m2", more: true, recovered: true });
        assert.deepStrictEqual(yield* pageOf({ after: 1, limit: 2 }), { first: "m0", more: true, recovered: false });
        assert.deepStrictEqual(yield* pageOf({ before: seqs[9], limit: 2 }), { first: "m7", more: true, recovered: true });
    }));
    it.live("broadcasts typing to the others until a message, a stop, or the end of the membership", () => Effect.gen(function* () {
        const server = yield* start();
        const ann = yield* member(server, "ann");
        const bob = yield* member(server, "bob");
        const typing = (is_typing) => ({ user_id: "ann", room_id: "r1", is_typing });
        ann.send("1", "3", topic, "typing_start", {});
        assert.deepStrictEqual(yield* next(bob, "user_typing"), typing(true));
        ann.send("1", "4", topic, "typing_stop", {});
        assert.deepStrictEqual(yield* next(bob, "user_typing"), typing(false));
        ann.send("1", "5", topic, "typing_start", {});
        assert.deepStrictEqual(yield* next(bob, "user_typing"), typing(true));
        sendMessage(ann, "done");
        assert.deepStrictEqual(yield* next(bob, "user_typing"), typing(false));
        yield* next(bob, "new_message");
        ann.send("1", "6", topic, "typing_start", {});
        assert.deepStrictEqual(yield* next(bob, "user_typing"), typing(true));
        ann.ws.terminate();
        assert.deepStrictEqual(yield* next(bob, "user_typing"), typing(false));
        yield* bob.nothing;
        const events = ann.received.map((frame) => JSON.parse(frame.toString())[3]);
        assert.isFalse(events.includes("user_typing"));
    }));
    it.live("ends typing three seconds after the last start", () => Effect.gen(function* () {
        const server = yield* start();
        const ann = yield* member(server, "ann");
        const bob = yield* member(server, "bob");
        const started = performance.now();
        ann.send("1", "3", topic, "typing_start", {});
        yield* next(bob, "user_typing");
        assert.strictEqual((yield* next(bob, "user_typing"))["is_typing"], false);
        assert.isAtLeast(performance.now() - started, 2_950);
    }));
    it.live("allows guests only to read and ping", () => Effect.gen(function* () {
        const server = yield* start();
        const guest = yield* connect(server, { token: yield* server.token("g", { roles: ["guest"] }) });
        assert.strictEqual((yield* join(guest))[4]["status"], "ok");
        sendMessage(guest, "hi");
        assert.strictEqual((yield* answer(guest)).response["reason"], "unauthorized");
        guest.send("1", "3", topic, "ping", {});
        assert.strictEqual((yield* answer(guest)).status, "ok");
    }));
    it.live("publishes chat.message on the bus", () => Effect.gen(function* () {
        const server = yield* start();
        const published = yield* Deferred.make();
        yield* Context.get(server.services, EventBus).subscribe(Address.event("chat.message"), ({ body }) => {
            Deferred.doneUnsafe(published, Effect.succeed(JSON.parse(new TextDecoder().decode(body))));
        });
        const ann = yield* member(server, "ann");
        sendMessage(ann, "hi", "c1");
        const { response } = yield* answer(ann);
        const event = yield* Deferred.await(published);
        assert.strictEqual(event["source"], "realtime");
        assert.deepStrictEqual(event["payload"], {
            message_id: response["id"],
            room_id: "r1",
            user_id: "ann",
            content: "hi",
            timestamp: response["timestamp"],
        });
    }));
});
