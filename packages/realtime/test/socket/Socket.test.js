import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect } from "effect";
import * as GatedHistory from "../support/GatedHistory.ts";
import { connect, joined, start } from "../support/TestServer.ts";
import { error, ok } from "../support/Replies.ts";
describe("the lifecycle on the wire", () => {
    it.live("a heartbeat gets a reply", () => Effect.gen(function* () {
        const client = yield* connect(yield* start());
        client.send(null, "9", "phoenix", "heartbeat", {});
        assert.deepStrictEqual(yield* client.next, ok(null, "9", "phoenix"));
    }));
    it.live("a client joins, pushes and leaves", () => Effect.gen(function* () {
        const client = yield* connect(yield* start());
        client.send("1", "1", "room:a", "phx_join", {});
        assert.deepStrictEqual(yield* client.next, ok("1", "1", "room:a", { room: "a" }));
        client.send("1", "2", "room:a", "echo", { text: "hi" });
        assert.deepStrictEqual(yield* client.next, ok("1", "2", "room:a", { text: "hi" }));
        client.send(null, "3", "room:a", "echo", { text: "a null join_ref is valid" });
        assert.deepStrictEqual((yield* client.next)[4]["status"], "ok");
        client.send("1", "4", "room:a", "phx_leave", {});
        assert.deepStrictEqual(yield* client.next, ok("1", "4", "room:a"));
        assert.deepStrictEqual(yield* client.next, ["1", "1", "room:a", "phx_close", {}]);
        client.send("1", "5", "room:a", "echo", { text: "hi" });
        assert.deepStrictEqual(yield* client.next, error(null, "5", "room:a", { reason: "unmatched topic" }));
        client.send("1", "6", "room:a", "phx_leave", {});
        assert.deepStrictEqual(yield* client.next, ok("1", "6", "room:a"));
    }));
    it.live("a reply echoes a numeric ref as a number, and a message without a ref gets no reply", () => Effect.gen(function* () {
        const client = yield* connect(yield* start());
        client.send(1, 2, "room:a", "phx_join", {});
        assert.deepStrictEqual(yield* client.next, ok(1, 2, "room:a", { room: "a" }));
        client.send(1, null, "room:a", "echo", { text: "hi" });
        yield* client.nothing;
    }));
    it.live("a join of a topic that no channel matches gets `unmatched topic`", () => Effect.gen(function* () {
        const client = yield* connect(yield* start());
        for (const topic of [
            "",
            "room",
            "room:",
            "room:a:b",
            "room:a b",
            "nothing:1",
            "room:ä",
            `room:${"x".repeat(129)}`,
        ]) {
            client.send("1", "1", topic, "phx_join", {});
            assert.deepStrictEqual(yield* client.next, error(null, "1", topic, { reason: "unmatched topic" }));
        }
    }));
    it.live("a topic or an event over 255 bytes gets an error reply", () => Effect.gen(function* () {
        // regression: it closed the socket, and with it every other channel.
        const long = "x".repeat(300);
        for (const query of ["vsn=2.0.0", "vsn=1.0.0"]) {
            const server = yield* start();
            const client = yield* connect(server, { query: `${query}&token=${yield* server.token("u1")}` });
            const send = (topic, event) => {
                const frame = query === "vsn=2.0.0" ? ["1", "1", topic, event, {}] : { topic, event, payload: {}, ref: "1" };
                client.ws.send(JSON.stringify(frame));
                return Effect.map(client.raw, String);
            };
            assert.include(yield* send(`room:${long}`, "phx_join"), '"reason":"unmatched topic"');
            yield* send("room:a", "phx_join");
            assert.include(yield* send("room:a", long), '"reason":"unknown_event"');
        }
    }));
    it.live("a second join of a topic gets its reply before the first one's phx_close, and the first join_ref is stale", () => Effect.gen(function* () {
        const server = yield* start();
        const client = yield* joined(server, "room:a");
        client.send("2", "2", "room:a", "phx_join", { nick: "second" });
        assert.deepStrictEqual(yield* client.next, ok("2", "2", "room:a", { room: "a" }));
        assert.deepStrictEqual(yield* client.next, ["1", "1", "room:a", "phx_close", {}]);
        client.send("1", "3", "room:a", "echo", { text: "stale" });
        client.send("1", "4", "room:a", "phx_leave", {});
        yield* client.nothing;
        client.send("2", "5", "room:a", "nick", {});
        assert.deepStrictEqual(yield* client.next, ok("2", "5", "room:a", { text: "second" }));
        assert.deepStrictEqual(server.callLog, ["join a", "leave a", "join a"]);
        server.topics.deliver("room:a", "said", { text: "once" });
        assert.deepStrictEqual(yield* client.next, [null, null, "room:a", "said", { text: "once" }]);
        yield* client.nothing;
    }));
    it.live("a payload that is not an object gets `invalid_payload`, also where the channel declares no fields", () => Effect.gen(function* () {
        // regression: a Schema without fields accepted a string, an array and bytes.
        const client = yield* connect(yield* start());
        const response = { reason: "invalid_payload", path: "", message: "the payload must be an object" };
        const media = "media:m1";
        for (const payload of ["str", [], 5, true, null]) {
            client.send("1", "1", media, "phx_join", payload);
            assert.deepStrictEqual(yield* client.next, error("1", "1", media, response));
        }
        client.ws.send(Buffer.concat([Buffer.from([0, 1, 1, 8, 8]), Buffer.from("11media:m1phx_join")]));
        assert.deepStrictEqual(yield* client.next, error("1", "1", media, response));
        client.send("1", "1", "room:a", "phx_join", {});
        yield* client.next;
        client.send("1", "2", "room:a", "nick", "str");
        assert.deepStrictEqual(yield* client.next, error("1", "2", "room:a", response));
    }));
    it.live("a heartbeat, a leave and a join over the size limit get `too_large`", () => Effect.gen(function* () {
        // regression: a heartbeat and a leave got the reply ok.
        const client = yield* connect(yield* start());
        const large = { x: "y".repeat(70_000) };
        const response = { reason: "too_large", limit: 65_536 };
        client.send(null, "1", "phoenix", "heartbeat", large);
        assert.deepStrictEqual(yield* client.next, error(null, "1", "phoenix", response));
        for (const event of ["phx_leave", "phx_join", "nick"]) {
            client.send("1", "2", "room:a", event, large);
            assert.deepStrictEqual(yield* client.next, error("1", "2", "room:a", response));
        }
        yield* client.nothing;
    }));
    it.live("a refresh with a token that expires after the last date gets a reply", () => Effect.gen(function* () {
        // regression: the expiry was no valid Date, and the refresh got no reply.
        const server = yield* start();
        const client = yield* joined(server, "room:a");
        const token = yield* server.token("u1", { ttl: Duration.days(365 * 300_000) });
        client.send("1", "2", "room:a", "access_token", { token });
        const expected = ok("1", "2", "room:a", { expires_at: "+275760-09-13T00:00:00.000Z" });
        assert.deepStrictEqual(yield* client.next, expected);
    }));
    it.live("a join that replaces a pending join: every join and the leave get their reply and their phx_close", () => Effect.gen(function* () {
        // regression: the reply to the pending join, the phx_close of the first join and the reply to the leave were lost.
        const history = yield* GatedHistory.make;
        const topic = "chat:room:a";
        const client = yield* joined(yield* start({}, 0, history.layer), topic);
        client.send("2", "2", topic, "phx_join", { since: 0 });
        yield* history.asked;
        client.send("2", "3", topic, "phx_leave", {});
        client.send("4", "4", topic, "phx_join", { since: 0 });
        yield* history.open;
        const whole = { messages: [], recovered: true, more: false };
        assert.deepStrictEqual(yield* client.next, ok("2", "2", topic, whole));
        assert.deepStrictEqual(yield* client.next, ["1", "1", topic, "phx_close", {}]);
        assert.deepStrictEqual(yield* client.next, ok("2", "3", topic));
        assert.deepStrictEqual(yield* client.next, ["2", "2", topic, "phx_close", {}]);
        assert.deepStrictEqual(yield* client.next, ok("4", "4", topic, whole));
        yield* client.nothing;
    }));
    it.live("a join and a leave, and joins of one topic, in one turn all get their replies", () => Effect.gen(function* () {
        // regression: a join that a leave or another join followed at once got no reply.
        const client = yield* connect(yield* start());
        const topic = "chat:room:a";
        client.send("1", "1", topic, "phx_join", {});
        client.send("1", "2", topic, "phx_leave", {});
        client.send("3", "3", topic, "phx_join", {});
        client.send("4", "4", topic, "phx_join", {});
        client.send("5", "5", topic, "phx_join", {});
        const replied = [];
        const ended = [];
        while (replied.length < 5 || ended.length < 3) {
            const [, ref, , event, { status }] = yield* client.next;
            if (event === "phx_close")
                ended.push(ref);
            else
                replied.push([ref, status]);
        }
        assert.deepStrictEqual(replied, [
            ["1", "ok"],
            ["2", "ok"],
            ["3", "ok"],
            ["4", "ok"],
            ["5", "ok"],
        ]);
        assert.deepStrictEqual(ended, ["1", "3", "4"]);
        yield* client.nothing;
    }));
    it.live("a membership that was joined without a ref accepts messages with any join ref", () => Effect.gen(function* () {
        const client = yield* connect(yield* start());
        client.send(null, "1", "room:a", "phx_join", {});
        yield* client.next;
        for (const joinRef of [null, "1", "7", 7]) {
            client.send(joinRef, "2", "room:a", "echo", { text: "hi" });
            assert.deepStrictEqual(yield* client.next, ok(joinRef, "2", "room:a", { text: "hi" }));
        }
    }));
    it.live("numeric refs over 2^53 are echoed exactly, with both serializers", () => Effect.gen(function* () {
        // regression: they came back rounded, so the client did not recognise the reply.
        const server = yield* start();
        const client = yield* connect(server);
        client.ws.send('[9007199254740993,18446744073709551615,"room:a","phx_join",{}]');
        assert.include(String(yield* client.raw), '[9007199254740993,18446744073709551615,"room:a","phx_reply",');
        client.ws.send('[9007199254740993,9007199254740995,"room:a","echo",{"text":"hi"}]');
        assert.include(String(yield* client.raw), '[9007199254740993,9007199254740995,"room:a","phx_reply",');
        const old = yield* connect(server, { query: `vsn=1.0.0&token=${yield* server.token("u1")}` });
        old.ws.send('{"topic":"room:a","event":"phx_join","payload":{},"ref":9007199254740993}');
        assert.include(String(yield* old.raw), '"ref":9007199254740993}');
    }));
    it.live("a wrong parameter gets a message in the words of the field", () => Effect.gen(function* () {
        // regression: the message for `last: "x"` named a RegExp.
        const client = yield* connect(yield* start());
        for (const [payload, path] of [
            [{ last: "x" }, "last"],
            [{ since: -1 }, "since"],
            [{ last: 1.5 }, "last"],
        ]) {
            client.send("1", "1", "chat:room:a", "phx_join", payload);
            const message = `${path} must be a whole number of 0 or more, not ${JSON.stringify(Object.values(payload)[0])}`;
            assert.deepStrictEqual(yield* client.next, error("1", "1", "chat:room:a", { reason: "invalid_payload", path, message }));
        }
        client.send("1", "1", "chat:room:a", "phx_join", {});
        yield* client.next;
        for (const limit of [0, -1]) {
            client.send("1", "2", "chat:room:a", "history", { limit });
            assert.include(JSON.stringify(yield* client.next), `"path":"limit","message":"limit must be a whole number of 1 or more, not ${limit}"`);
        }
        client.send("1", "3", "chat:room:a", "history", { before: 5, after: 3 });
        assert.include(JSON.stringify(yield* client.next), "`before` and `after` exclude each other");
    }));
    it.live("a join over the limit of topics gets `too many channels joined`; a rejoin does not count", () => Effect.gen(function* () {
        const client = yield* connect(yield* start({ limits: { maxTopics: 3 } }));
        for (const index of [1, 2, 3]) {
            client.send(`${index}`, `${index}`, `room:${index}`, "phx_join", {});
            assert.strictEqual((yield* client.next)[4]["status"], "ok");
        }
        client.send("4", "4", "room:4", "phx_join", {});
        assert.deepStrictEqual(yield* client.next, error("4", "4", "room:4", { reason: "too many channels joined" }));
        client.send("5", "5", "room:3", "phx_join", {});
        assert.strictEqual((yield* client.next)[4]["status"], "ok");
    }));
});
