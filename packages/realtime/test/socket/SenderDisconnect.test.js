/**
 * Messages that a client sent before it disconnected. A message that the room received must also reach the bus, where
 * moderation reads it.
 */
import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Context, Deferred, Effect } from "effect";
import * as GatedHistory from "../support/GatedHistory.ts";
import { joined, start } from "../support/TestServer.ts";
describe("a sender that disconnects at once", () => {
    it.live.each([
        { type: "chat.message", topic: "chat:room:r1", event: "new_message" },
        { type: "comment.created", topic: "comments:stream:s1", event: "new_comment" },
    ])("still publishes $type on the bus", ({ type, topic, event }) => Effect.gen(function* () {
        // regression: the event did not reach the bus, and so not moderation.
        const history = yield* GatedHistory.make;
        const server = yield* start({}, 0, history.layer);
        const published = yield* Deferred.make();
        yield* Context.get(server.services, EventBus).subscribe(Address.event(type), ({ body }) => {
            Deferred.doneUnsafe(published, Effect.succeed(JSON.parse(new TextDecoder().decode(body)).payload));
        });
        const ann = yield* joined(server, topic, { user: "ann" });
        ann.send("1", "2", topic, event, { content: "last words" });
        yield* history.asked;
        ann.ws.terminate();
        yield* eventually(() => server.topics.subscriberCount(topic) <= 0);
        yield* history.open;
        assert.strictEqual((yield* Deferred.await(published))["content"], "last words");
        yield* eventually(() => server.endpoint.size() <= 0);
    }));
    it.live("still delivers the messages that wait in its inbox", () => Effect.gen(function* () {
        // regression: the messages behind the first one were lost.
        const history = yield* GatedHistory.make;
        const server = yield* start({}, 0, history.layer);
        const bob = yield* joined(server, room, { user: "bob" });
        const ann = yield* joined(server, room, { user: "ann" });
        for (const content of contents)
            ann.send("1", null, room, "new_message", { content });
        yield* history.asked;
        ann.ws.close();
        yield* eventually(() => server.topics.subscriberCount(room) <= 1);
        yield* history.open;
        for (const content of contents)
            assert.strictEqual((yield* bob.next)[4]["content"], content);
    }));
    it.live("does not deliver waiting messages if an operator kicked the socket", () => Effect.gen(function* () {
        // regression: the waiting messages were delivered after the kick.
        const history = yield* GatedHistory.make;
        const server = yield* start({}, 0, history.layer);
        const bob = yield* joined(server, room, { user: "bob" });
        const ann = yield* joined(server, room, { user: "ann" });
        for (const content of contents)
            ann.send("1", null, room, "new_message", { content });
        yield* history.asked;
        for (const socket of server.endpoint.sockets())
            if (socket.identity.userId === "ann")
                socket.kick("kicked");
        yield* ann.close;
        yield* history.open;
        assert.strictEqual((yield* bob.next)[4]["content"], contents[0]);
        yield* eventually(() => server.endpoint.size() <= 1);
        yield* bob.nothing;
    }));
});
describe("a client that sends, leaves and joins again at once", () => {
    it.live.each([true, false])("still delivers its messages (leaves first: %s)", (leaves) => Effect.gen(function* () {
        // regression: the messages before the leave or the second join were lost.
        const history = yield* GatedHistory.make;
        const server = yield* start({}, 0, history.layer);
        const bob = yield* joined(server, room, { user: "bob" });
        const ann = yield* joined(server, room, { user: "ann" });
        for (const content of contents)
            ann.send("1", content, room, "new_message", { content });
        if (leaves)
            ann.send("1", "leave", room, "phx_leave", {});
        ann.send("9", "9", room, "phx_join", { last: 0 });
        yield* ann.nothing;
        yield* history.open;
        for (const content of contents)
            assert.strictEqual((yield* bob.next)[4]["content"], content);
        const refs = leaves ? [...contents, "leave", "1", "9"] : [...contents, "9", "1"];
        const answers = [];
        const received = [];
        while (answers.length < refs.length || received.length < contents.length) {
            const [, ref, , event, payload] = yield* ann.next;
            if (event === "new_message")
                received.push(payload["content"]);
            else
                answers.push(ref);
        }
        assert.deepStrictEqual([answers, received], [refs, contents]);
        yield* ann.nothing;
    }));
});
const room = "chat:room:r1";
const contents = ["one", "two", "three"];
