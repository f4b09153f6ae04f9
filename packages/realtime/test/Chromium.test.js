/** The official client in a real browser, over WebSocket and over long poll. */
import { once } from "node:events";
import { createServer } from "node:http";
import { RoomLog } from "@armoricore/realtime/rooms/RoomLog";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Context, Effect } from "effect";
import * as BrowserPage from "./support/BrowserPage.ts";
import { start } from "./support/TestServer.ts";
const browser = Programs.requireProgram("chromium");
const browserTimeout = { timeout: 60_000 };
const transports = ["websocket", "longpoll"];
/** Runs in the page: exercises every row of the lifecycle table and returns what the client received. */
const lifecycle = async ({ token, transport }) => {
    const socket = new Phoenix.Socket("/socket", {
        params: { token },
        transport: transport === "longpoll" ? Phoenix.LongPoll : WebSocket,
        reconnectAfterMs: () => 20,
        rejoinAfterMs: () => 20,
    });
    const results = {};
    const answer = (push) => new Promise((resolve) => {
        for (const status of ["ok", "error", "timeout"])
            push.receive(status, (reply) => resolve([status, reply]));
    });
    const until = async (condition) => {
        while (!condition())
            await new Promise((resolve) => setTimeout(resolve, 5));
    };
    socket.connect();
    const room = socket.channel("room:a", { nick: "ann" });
    const received = [];
    room.on("said", ({ text }) => received.push(text));
    room.on("shouted", (bytes) => received.push(bytes instanceof ArrayBuffer ? [...new Uint8Array(bytes)] : bytes));
    results["join"] = await answer(room.join());
    results["push"] = await answer(room.push("echo", { text: "hi" }));
    room.push("say", { text: "all" });
    await until(() => received.length === 1);
    const [status, bytes] = await answer(room.push("bytes", Uint8Array.of(1, 2, 255).buffer));
    results["bytes"] = [status, bytes instanceof ArrayBuffer ? [...new Uint8Array(bytes)] : bytes];
    room.push("shout", Uint8Array.of(3).buffer);
    await until(() => received.length === 2);
    results["received"] = received;
    results["refused"] = await answer(room.push("limited", {}));
    results["unknown event"] = await answer(room.push("nothing", {}));
    results["unmatched"] = await answer(socket.channel("nowhere:a").join());
    results["refused join"] = await answer(socket.channel("room:b", { how: "refused" }).join());
    results["crashed join"] = await answer(socket.channel("room:c", { how: "crash" }).join());
    const second = socket.channel("room:a", { nick: "second" });
    await answer(second.join());
    await until(() => room.state === "closed");
    results["nick of the second join"] = await answer(second.push("nick", {}));
    let crashes = 0;
    second.onError(() => crashes++);
    second.push("crash", {});
    await until(() => crashes === 1 && second.state === "joined");
    results["after a crash"] = await answer(second.push("nick", {}));
    // Over long poll, polls replace heartbeats.
    if (transport === "websocket")
        await new Promise((resolve) => socket.ping(() => resolve()));
    results["leave"] = await answer(second.leave());
    socket.disconnect();
    return results;
};
/** Runs in the page: joins a room and records everything it receives on `window`. */
const stay = async ({ token, transport, topic }) => {
    const socket = new Phoenix.Socket("/socket", {
        params: { token },
        transport: transport === "longpoll" ? Phoenix.LongPoll : WebSocket,
        reconnectAfterMs: () => 10,
        rejoinAfterMs: () => 10,
    });
    const seen = { seqs: [], contents: [], users: "", joins: 0, gaps: 0 };
    const channel = socket.channel(topic, () => {
        const since = seen.seqs.at(-1);
        return { presence: true, ...(since === undefined ? {} : { since }) };
    });
    const take = ({ seq, content }) => {
        seen.seqs.push(seq);
        seen.contents.push(content);
    };
    channel.on("new_message", (message) => take(message));
    const presence = new Phoenix.Presence(channel);
    presence.onSync(() => {
        seen.users = presence
            .list((user) => user)
            .sort()
            .join(" ");
    });
    socket.connect();
    await new Promise((resolve) => {
        channel.join().receive("ok", (reply) => {
            const { messages, recovered } = reply;
            messages.forEach(take);
            seen.joins++;
            if (!recovered)
                seen.gaps++;
            resolve();
        });
    });
    Object.assign(window, { seen, say: (content) => channel.push("new_message", { content }) });
};
describe.skipIf(browser.missing)("the official client in Chromium", () => {
    it.live.each(transports)("follows every row of the lifecycle table over %s", (transport) => Effect.gen(function* () {
        const server = yield* start();
        const page = yield* (yield* BrowserPage.open(browser.path))(server.port);
        const token = yield* server.token("u1");
        const results = yield* Effect.promise(() => page.evaluate(lifecycle, { token, transport }));
        const [bytes, shouted] = transport === "websocket" ? [[1, 2, 255], [3]] : [{ data: "AQL/" }, { data: "Aw==" }];
        assert.deepStrictEqual(results, {
            join: ["ok", { room: "a" }],
            push: ["ok", { text: "hi" }],
            bytes: ["ok", bytes],
            received: ["all", shouted],
            refused: ["error", { reason: "rate_limit", retry_after_ms: 1000 }],
            "unknown event": ["error", { reason: "unknown_event", event: "nothing" }],
            unmatched: ["error", { reason: "unmatched topic" }],
            "refused join": ["error", { reason: "rate_limit", retry_after_ms: 5 }],
            "crashed join": ["error", { reason: "join crashed" }],
            "nick of the second join": ["ok", { text: "second" }],
            "after a crash": ["ok", { text: "second" }],
            leave: ["ok", {}],
        });
    }), browserTimeout);
    it.live("clients over long poll and over WebSocket receive each other's messages and presence", () => Effect.gen(function* () {
        const server = yield* start();
        const open = yield* BrowserPage.open(browser.path);
        const [ann, bob] = [yield* open(server.port), yield* open(server.port)];
        const topic = "chat:room:r1";
        const [annToken, bobToken] = [yield* server.token("ann"), yield* server.token("bob")];
        yield* Effect.promise(async () => {
            await ann.evaluate(stay, { token: annToken, transport: "longpoll", topic });
            await bob.evaluate(stay, { token: bobToken, transport: "websocket", topic });
            for (const page of [ann, bob])
                await page.waitForFunction("seen.users === 'ann bob'");
            await ann.evaluate("say('from ann') && 0");
            await bob.waitForFunction("seen.contents.includes('from ann')");
            await bob.evaluate("say('from bob') && 0");
            for (const page of [ann, bob])
                await page.waitForFunction("seen.contents.join() === 'from ann,from bob'");
            await bob.close();
            await ann.waitForFunction("seen.users === 'ann'");
        });
    }), browserTimeout);
    it.live.each(transports)("receives every message once over reconnects of %s", (transport) => Effect.gen(function* () {
        const server = yield* start();
        const page = yield* (yield* BrowserPage.open(browser.path))(server.port);
        const token = yield* server.token("ann");
        const topic = "chat:room:r1";
        yield* Effect.promise(() => page.evaluate(stay, { token, transport, topic }));
        const roomLog = Context.get(server.services, RoomLog);
        const sent = [];
        for (let cut = 1; cut <= 10; cut++) {
            for (let n = 0; n < 50; n++) {
                const id = `${cut}-${n}`;
                sent.push(id);
                const payload = { id, content: id, user_id: "bob", room_id: "r1", timestamp: "2026-01-31T12:00:00Z" };
                yield* roomLog.append(topic, { event: "new_message", id, payload });
                if (n === 25)
                    for (const socket of server.endpoint.sockets())
                        socket.kick("reconnect");
            }
            yield* Effect.promise(() => page.waitForFunction(`seen.joins === ${cut + 1}`));
        }
        yield* Effect.promise(() => page.waitForFunction(`seen.contents.length >= ${sent.length}`));
        const { contents, gaps } = yield* Effect.promise(() => page.evaluate("seen"));
        assert.deepStrictEqual(contents, sent);
        assert.strictEqual(gaps, 0);
    }), browserTimeout);
    it.live("falls back to long poll where WebSockets are blocked", () => Effect.gen(function* () {
        const server = yield* start();
        const blocked = createServer((request, response) => {
            if (!server.endpoint.handleRequest(request, response))
                BrowserPage.answer(request, response);
        });
        blocked.on("upgrade", (_, socket) => socket.destroy());
        blocked.listen(0, "127.0.0.1");
        yield* Effect.promise(() => once(blocked, "listening"));
        yield* Effect.addFinalizer(() => Effect.sync(() => {
            blocked.closeAllConnections();
            blocked.close();
        }));
        const address = blocked.address();
        const port = typeof address === "object" && address !== null ? address.port : 0;
        const page = yield* (yield* BrowserPage.open(browser.path))(port);
        const token = yield* server.token("u1");
        const reply = yield* Effect.promise(() => page.evaluate((jwt) => {
            const socket = new Phoenix.Socket("/socket", { params: { token: jwt }, longPollFallbackMs: 1000 });
            socket.connect();
            return new Promise((resolve) => {
                socket.channel("room:a").join().receive("ok", resolve);
            });
        }, token));
        assert.deepStrictEqual(reply, { room: "a" });
    }), browserTimeout);
});
