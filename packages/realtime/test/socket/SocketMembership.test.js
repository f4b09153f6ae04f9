import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { connect, joined, start } from "../support/TestServer.ts";
import { error, ok } from "../support/Replies.ts";
describe("the lifecycle on the wire", () => {
    it.live("a crash ends only its own membership, and the client can join again", () => Effect.gen(function* () {
        const server = yield* start();
        const client = yield* joined(server, "room:a");
        client.send("2", "2", "room:b", "phx_join", {});
        yield* client.next;
        client.send("1", "3", "room:a", "crash", {});
        client.send("1", "4", "room:a", "echo", { text: "behind the crash" });
        assert.deepStrictEqual(yield* client.next, ["1", "1", "room:a", "phx_error", { reason: "channel_crash" }]);
        assert.deepStrictEqual(yield* client.next, error(null, "4", "room:a", { reason: "unmatched topic" }));
        client.send("2", "5", "room:b", "echo", { text: "alive" });
        assert.deepStrictEqual(yield* client.next, ok("2", "5", "room:b", { text: "alive" }));
        client.send("6", "6", "room:a", "phx_join", {});
        assert.strictEqual((yield* client.next)[4]["status"], "ok");
        assert.deepStrictEqual(server.callLog, ["join a", "join b", "leave a", "join a"]);
    }));
    it.live("a join that fails, crashes or meets an unavailable dependency gets an error reply", () => Effect.gen(function* () {
        const server = yield* start();
        const client = yield* connect(server);
        client.send("1", "1", "room:a", "phx_join", { how: "refused" });
        client.send("1", "2", "room:a", "echo", { text: "too early" });
        assert.deepStrictEqual(yield* client.next, error("1", "1", "room:a", { reason: "rate_limit", retry_after_ms: 5 }));
        assert.deepStrictEqual(yield* client.next, error(null, "2", "room:a", { reason: "unmatched topic" }));
        client.send("3", "3", "room:a", "phx_join", { how: "crash" });
        assert.deepStrictEqual(yield* client.next, error("3", "3", "room:a", { reason: "join crashed" }));
        client.send("4", "4", "room:a", "phx_join", { how: "away" });
        assert.deepStrictEqual(yield* client.next, error("4", "4", "room:a", { reason: "unavailable" }));
        client.send("5", "5", "room:a", "phx_join", { nick: 5 });
        const [, , , , answer] = yield* client.next;
        assert.strictEqual(answer["status"], "error");
        assert.include(JSON.stringify(answer["response"]), '"path":"nick"');
        assert.strictEqual(server.topics.subscriberCount("room:a"), 0);
        assert.notInclude(server.callLog, "leave a");
    }));
    it.live("a handler's error becomes an error reply, and the membership continues", () => Effect.gen(function* () {
        const client = yield* joined(yield* start(), "room:a");
        const events = ["limited", "away", "no_such_event", "echo", "echo"];
        const payloads = [{}, {}, {}, { text: "" }, [1]];
        for (const [index, event] of events.entries())
            client.send("1", event, "room:a", event, payloads[index]);
        const reasons = [];
        for (const _ of events) {
            const response = (yield* client.next)[4]["response"];
            reasons.push(typeof response === "object" && response !== null && "reason" in response && response.reason);
        }
        assert.deepStrictEqual(reasons, [
            "rate_limit",
            "unavailable",
            "unknown_event",
            "invalid_payload",
            "invalid_payload",
        ]);
        client.send("1", "6", "room:a", "echo", { text: "alive" });
        assert.deepStrictEqual(yield* client.next, ok("1", "6", "room:a", { text: "alive" }));
    }));
    it.live("a guest joins, and sends only events with `allowGuests`", () => Effect.gen(function* () {
        const server = yield* start();
        const token = yield* server.token("g", { roles: ["guest"] });
        const client = yield* joined(server, "room:a", { token });
        client.send("1", "2", "room:a", "say", { text: "hi" });
        assert.include(JSON.stringify(yield* client.next), '"reason":"unauthorized"');
        client.send("1", "3", "room:a", "echo", { text: "hi" });
        assert.strictEqual((yield* client.next)[4]["status"], "ok");
    }));
    it.live("a token with a `channels` claim joins only the topics of the claim", () => Effect.gen(function* () {
        const server = yield* start();
        const token = yield* server.token("u", { channels: ["room:a*"] });
        const client = yield* joined(server, "room:a1", { token });
        client.send("2", "2", "room:b", "phx_join", {});
        assert.include(JSON.stringify(yield* client.next), '"reason":"unauthorized"');
        client.send("1", "3", "room:a1", "echo", { text: "hi" });
        assert.strictEqual((yield* client.next)[4]["status"], "ok");
    }));
    it.live("a broadcast reaches all subscribers, with `excludeSelf` all others", () => Effect.gen(function* () {
        const server = yield* start();
        const first = yield* joined(server, "room:a");
        const second = yield* joined(server, "room:a");
        first.send("1", "2", "room:a", "say", { text: "all" });
        assert.deepStrictEqual(yield* first.next, [null, null, "room:a", "said", { text: "all" }]);
        assert.deepStrictEqual(yield* first.next, ok("1", "2", "room:a"));
        assert.deepStrictEqual(yield* second.next, [null, null, "room:a", "said", { text: "all" }]);
        first.send("1", "3", "room:a", "whisper", { text: "others" });
        assert.deepStrictEqual(yield* first.next, ok("1", "3", "room:a"));
        assert.deepStrictEqual(yield* second.next, [null, null, "room:a", "said", { text: "others" }]);
        yield* first.nothing;
    }));
    it.live("broadcasts during a join follow its reply, except those up to `upToSeq`", () => Effect.gen(function* () {
        const client = yield* connect(yield* start());
        client.send("1", "1", "room:a", "phx_join", { how: "history" });
        assert.deepStrictEqual(yield* client.next, ok("1", "1", "room:a", { room: "a" }));
        assert.deepStrictEqual(yield* client.next, [null, null, "room:a", "said", { text: "new" }]);
        yield* client.nothing;
    }));
    it.live("binary payloads travel in both directions", () => Effect.gen(function* () {
        const client = yield* joined(yield* start(), "room:a");
        const push = (ref, event, data) => client.ws.send(Buffer.concat([Buffer.of(0, 1, ref.length, 6, event.length), Buffer.from(`1${ref}room:a${event}`), data]));
        push("2", "bytes", Buffer.of(1, 2, 255));
        const reply = yield* client.raw;
        assert.deepStrictEqual(reply, Buffer.concat([Buffer.of(1, 1, 1, 6, 2), Buffer.from("12room:aok"), Buffer.of(1, 2, 255)]));
        push("3", "shout", Buffer.of(7));
        const broadcast = yield* client.raw;
        assert.deepStrictEqual(broadcast, Buffer.concat([Buffer.of(2, 6, 7), Buffer.from("room:ashouted"), Buffer.of(7)]));
        assert.deepStrictEqual(yield* client.next, ok("1", "3", "room:a"));
        push("4", "echo", Buffer.of(7));
        assert.include(JSON.stringify(yield* client.next), '"reason":"invalid_payload"');
    }));
});
