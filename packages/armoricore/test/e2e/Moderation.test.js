/** Moderation in the running program: removed messages disappear for all clients, which use the official `phoenix` client. */
import { channel } from "@armoricore/client";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { Socket } from "phoenix";
import { retryUntil } from "../support/ApiClient.ts";
import { start, tokenFor } from "../support/ProgramFixture.ts";
import { temporaryDirectory } from "../support/ProgramProcess.ts";
const users = ["ann", "bob", "cyd"];
const connect = Effect.fnUntraced(function* (env, url, user) {
    const params = { token: yield* tokenFor(env, "--user", user) };
    return yield* Effect.acquireRelease(Effect.sync(() => {
        const socket = new Socket(`${url.replace(/^http/, "ws")}/socket`, { params, transport: WebSocket });
        socket.connect();
        return socket;
    }), (socket) => Effect.sync(() => socket.disconnect()));
});
/** Runs the program with a blocked word, and connects one socket per user. */
const gathering = Effect.gen(function* () {
    const env = { ARMORICORE_DATA_DIR: yield* temporaryDirectory, MODERATION_WORDS: "badword" };
    const { url } = yield* start(env);
    const sockets = yield* Effect.forEach(users, (user) => connect(env, url, user), { concurrency: "unbounded" });
    return { sockets, late: connect(env, url, "dan") };
});
/** Waits until every client has received the event. */
const allReceived = (received, line) => retryUntil(Effect.sync(() => received), (all) => all.length === users.length && all.every((lines) => lines.includes(line)));
describe("a blocked word", () => {
    it.live("in chat is removed on three sockets and from the history", () => Effect.gen(function* () {
        const { late, sockets } = yield* gathering;
        const received = [];
        const rooms = yield* Effect.forEach(sockets, (socket) => Effect.promise(async () => {
            const lines = [];
            received.push(lines);
            const room = channel(socket, "chat:room:x", {});
            room.on("new_message", ({ id }) => lines.push(`new ${id}`));
            room.on("message_removed", ({ id, reason }) => lines.push(`removed ${id} ${reason}`));
            await room.join();
            return room;
        }));
        const post = (who, content) => Effect.promise(async () => rooms[who]?.push("new_message", { content }));
        const blocked = yield* post(0, "such a badword, you all");
        const allowed = yield* post(1, "good morning");
        yield* allReceived(received, `removed ${blocked?.id} word`);
        yield* allReceived(received, `new ${allowed?.id}`);
        for (const lines of received) {
            assert.sameMembers(lines, [`new ${blocked?.id}`, `removed ${blocked?.id} word`, `new ${allowed?.id}`]);
        }
        const latecomer = yield* late;
        const { messages } = yield* Effect.promise(() => channel(latecomer, "chat:room:x", { last: 50 }).join());
        assert.deepStrictEqual(messages.map(({ id }) => id), [allowed?.id]);
    }), 90_000);
    it.live("in a comment is removed on three sockets and from the history", () => Effect.gen(function* () {
        const { late, sockets } = yield* gathering;
        const received = [];
        const streams = yield* Effect.forEach(sockets, (socket) => Effect.promise(async () => {
            const lines = [];
            received.push(lines);
            const stream = channel(socket, "comments:stream:x", {});
            stream.on("new_comment", ({ id }) => lines.push(`new ${id}`));
            stream.on("comment_removed", ({ id, reason }) => lines.push(`removed ${id} ${reason}`));
            await stream.join();
            return stream;
        }));
        // Two users, because of the limit of one comment per second and user.
        const post = (who, content) => Effect.promise(async () => streams[who]?.push("new_comment", { content }));
        const blocked = yield* post(0, "what a B4DWORD");
        const allowed = yield* post(1, "what a sea");
        yield* allReceived(received, `removed ${blocked?.id} word`);
        yield* allReceived(received, `new ${allowed?.id}`);
        for (const lines of received) {
            assert.sameMembers(lines, [`new ${blocked?.id}`, `removed ${blocked?.id} word`, `new ${allowed?.id}`]);
        }
        const latecomer = yield* late;
        const { comments } = yield* Effect.promise(() => channel(latecomer, "comments:stream:x", { last: 50 }).join());
        assert.deepStrictEqual(comments.map(({ id }) => id), [allowed?.id]);
    }), 90_000);
});
