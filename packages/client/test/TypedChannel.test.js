/** The typed client, compiled against the declarations and run with the official client. */
import { channel, isErrorReply } from "@armoricore/client";
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { start } from "../../realtime/test/support/TestServer.ts";
import * as PhoenixSocket from "./support/PhoenixSocket.ts";
describe("the typed client", () => {
    it.live("joins, pushes, receives, gets an error reply and leaves", () => Effect.gen(function* () {
        const socket = yield* PhoenixSocket.connect(yield* start(), "u1");
        const room = channel(socket, "chat:room:42", { last: 20 });
        const received = [];
        room.on("new_message", ({ content, seq }) => received.push(`${seq} ${content}`));
        const { messages, recovered } = yield* Effect.promise(() => room.join());
        assert.deepStrictEqual([messages, recovered], [[], true]);
        const sent = yield* Effect.promise(() => room.push("new_message", { content: "hello", client_id: "c1" }));
        assert.strictEqual(sent.room_id, "42");
        const repeated = yield* Effect.promise(() => room.push("new_message", { content: "hello", client_id: "c1" }));
        assert.strictEqual(repeated.id, sent.id);
        assert.deepStrictEqual(received, [`${sent.seq} hello`]);
        const failure = yield* Effect.promise(() => room.push("new_message", { content: "" }).then(() => undefined, (error) => error));
        assert.isTrue(isErrorReply(failure) && failure.reason === "invalid_payload");
        // @ts-expect-error the channel does not declare this event
        const unknown = room.push("new_massage", { content: "x" });
        yield* Effect.promise(() => unknown.catch(() => undefined));
        // @ts-expect-error no channel has this topic
        channel(socket, "chats:42", {});
        yield* Effect.promise(() => room.leave());
    }));
    it.live("receives missed messages after a reconnect, in order and once", () => Effect.gen(function* () {
        const server = yield* start();
        const socket = yield* PhoenixSocket.connect(server, "u1");
        const room = channel(socket, "chat:room:7", {});
        const contents = [];
        room.onJoin((reply) => reply.messages.forEach(({ content }) => contents.push(content)));
        room.on("new_message", ({ content }) => contents.push(content));
        yield* Effect.promise(() => room.join());
        yield* Effect.promise(() => room.push("new_message", { content: "1" }));
        const other = channel(yield* PhoenixSocket.connect(server, "u2"), "chat:room:7", { last: 1 });
        yield* Effect.promise(() => other.join());
        socket.disconnect();
        yield* eventually(() => server.endpoint.size() === 1);
        for (const content of ["2", "3"])
            yield* Effect.promise(() => other.push("new_message", { content }));
        socket.connect();
        yield* eventually(() => contents.length >= 3);
        yield* Effect.promise(() => other.push("new_message", { content: "4" }));
        yield* eventually(() => contents.length >= 4);
        assert.deepStrictEqual(contents, ["1", "2", "3", "4"]);
    }));
    it.live("edits, reacts, marks as read, and receives the changes that it missed", () => Effect.gen(function* () {
        const server = yield* start();
        const socket = yield* PhoenixSocket.connect(server, "u1");
        const room = channel(socket, "chat:room:8", {});
        const changes = [];
        room.on("reactions", ({ counts, id }) => changes.push(`live ${id} ${JSON.stringify(counts)}`));
        room.on("message_edited", ({ content }) => changes.push(`live ${content}`));
        // Events that the application does not listen to do not move the position.
        room.on("new_message", () => { });
        yield* Effect.promise(() => room.join());
        const { id, seq } = yield* Effect.promise(() => room.push("new_message", { content: "1", mentions: ["u2"] }));
        assert.deepStrictEqual(yield* Effect.promise(() => room.push("mark_read", { seq })), { seq });
        const reply = yield* Effect.promise(() => room.push("react", { id, emoji: "👍" }));
        assert.deepStrictEqual(reply.own, ["👍"]);
        yield* eventually(() => changes.length === 1);
        const other = channel(yield* PhoenixSocket.connect(server, "u2"), "chat:room:8", {});
        let announced = 0;
        other.on("reactions", () => announced++);
        yield* Effect.promise(() => other.join());
        yield* Effect.promise(() => room.push("edit_message", { id, content: "one" }));
        yield* eventually(() => changes.length === 2);
        socket.disconnect();
        yield* eventually(() => server.endpoint.size() === 1);
        yield* Effect.promise(() => other.push("react", { id, emoji: "🎬" }));
        yield* eventually(() => announced === 1);
        socket.connect();
        // The edit was received before, so only the reactions are new.
        yield* eventually(() => changes.length === 3);
        assert.deepStrictEqual(changes, [`live ${id} {"👍":1}`, "live one", `live ${id} {"👍":1,"🎬":1}`]);
    }));
    it.live("receives all missed messages after a reconnect, also if the first join had a `last`", () => Effect.gen(function* () {
        // regression: the rejoin repeated `last: 1` and replayed one message only.
        const server = yield* start();
        const socket = yield* PhoenixSocket.connect(server, "u1");
        const room = channel(socket, "chat:room:7", { last: 1 });
        const contents = [];
        const recovered = [];
        room.onJoin((reply) => {
            recovered.push(reply.recovered);
            reply.messages.forEach(({ content }) => contents.push(content));
        });
        room.on("new_message", ({ content }) => contents.push(content));
        yield* Effect.promise(() => room.join());
        yield* Effect.promise(() => room.push("new_message", { content: "1" }));
        const other = channel(yield* PhoenixSocket.connect(server, "u2"), "chat:room:7", {});
        yield* Effect.promise(() => other.join());
        socket.disconnect();
        yield* eventually(() => server.endpoint.size() === 1);
        for (const content of ["2", "3", "4"])
            yield* Effect.promise(() => other.push("new_message", { content }));
        socket.connect();
        yield* eventually(() => recovered.length === 2);
        assert.deepStrictEqual([contents, recovered], [
            ["1", "2", "3", "4"],
            [true, true],
        ]);
    }));
    it.live("requests what a join reply has no room for, page by page, while new messages arrive", () => Effect.gen(function* () {
        // regression: a reply had the newest messages only, and the others were lost with `recovered: true`.
        const server = yield* start({ limits: { maxQueuedBytes: 65_536 } });
        const socket = yield* PhoenixSocket.connect(server, "u1");
        const room = channel(socket, "chat:room:7", {});
        const contents = [];
        let pages = 0;
        let isBehind = false;
        room.onJoin(({ messages, more }) => {
            isBehind = more;
            for (const { content } of messages)
                contents.push(content);
        });
        room.onCatchUp(({ messages, more }) => {
            pages++;
            isBehind = more;
            for (const { content } of messages)
                contents.push(content);
        });
        const live = [];
        room.on("new_message", ({ content }) => live.push(content));
        yield* Effect.promise(() => room.join());
        yield* Effect.promise(() => room.push("new_message", { content: "first" }));
        const other = channel(yield* PhoenixSocket.connect(server, "u2"), "chat:room:7", {});
        yield* Effect.promise(() => other.join());
        socket.disconnect();
        yield* eventually(() => server.endpoint.size() === 1);
        const missed = Array.from({ length: 60 }, (_, index) => `${index} ${"x".repeat(900)}`);
        for (const content of missed)
            yield* Effect.promise(() => other.push("new_message", { content }));
        socket.connect();
        yield* eventually(() => contents.length > 0);
        yield* Effect.promise(() => other.push("new_message", { content: "live" }));
        yield* eventually(() => contents.length >= missed.length && !isBehind);
        assert.deepStrictEqual(contents.filter((content) => content !== "live"), missed);
        assert.isAtLeast(pages, 5);
        assert.deepStrictEqual(live, ["first", "live"]);
        // The position moved past the pages: nothing is repeated.
        contents.length = 0;
        socket.disconnect();
        yield* eventually(() => server.endpoint.size() === 1);
        yield* Effect.promise(() => other.push("new_message", { content: "last" }));
        socket.connect();
        yield* eventually(() => contents.length > 0);
        assert.deepStrictEqual(contents, ["last"]);
    }));
    it.live("joins again with the highest `seq`, and with a lower one only after `recovered: false`", () => Effect.gen(function* () {
        // regression: after an outage of a node a message with a lower `seq` moved the position back.
        const joinPayloads = [];
        const { params, receive: deliver, replyToJoin, socket } = fakeSocket();
        const room = channel(socket, "chat:room:7", {});
        room.on("new_message", () => { });
        void room.join();
        const reply = (recovered) => replyToJoin({ messages: [], recovered, more: false });
        const receive = (seq) => {
            deliver({ seq });
            joinPayloads.push(params());
        };
        receive(5000);
        receive(4990);
        reply(true);
        receive(4991);
        // The history was reset.
        reply(false);
        receive(1);
        receive(2);
        assert.strictEqual(JSON.stringify(joinPayloads), '[{"since":5000},{"since":5000},{"since":5000},{"since":1},{"since":2}]');
    }));
    it.live("requests the items that the reply to a rejoin of an inbox has no room for", () => Effect.gen(function* () {
        // regression: it requested `history`, which an inbox does not have, once a second for ever.
        const { params, pushes, receive, replyToJoin, socket } = fakeSocket();
        const inbox = channel(socket, "inbox:u1", {});
        inbox.on("inbox_item", () => { });
        void inbox.join();
        receive({ seq: 3 });
        assert.deepInclude(params(), { since: 3 });
        replyToJoin({ items: [{ seq: 4 }], unread: 9, more: true });
        yield* eventually(() => pushes.length === 1);
        assert.deepStrictEqual(pushes, [["items", { after: 4 }]]);
    }));
});
/** A socket without a server: the test replies to joins and delivers events. */
const fakeSocket = () => {
    const listeners = [];
    const joinReplies = [];
    const pushes = [];
    const join = {
        receive: (status, listener) => {
            if (status === "ok")
                joinReplies.push(listener);
            return join;
        },
    };
    const push = { receive: () => push };
    let params = () => ({});
    const fake = {
        join: () => join,
        leave: () => push,
        push: (event, payload) => {
            pushes.push([event, payload]);
            return push;
        },
        on: (_, listener) => listeners.push(listener),
        onError: () => 0,
        onClose: () => 0,
    };
    return {
        socket: {
            channel: (_, payload) => {
                params = () => (typeof payload === "function" ? payload() : payload);
                return fake;
            },
        },
        /** Of the next join. */
        params: () => params(),
        pushes,
        receive: (payload) => listeners.forEach((listener) => listener(payload)),
        replyToJoin: (reply) => joinReplies.forEach((listener) => listener(reply)),
    };
};
