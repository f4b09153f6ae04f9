import { once } from "node:events";
import { createServer, request } from "node:http";
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Fiber } from "effect";
import { Socket } from "phoenix";
import { joined, start } from "../support/TestServer.ts";
const send = (server, query, options = {}) => Effect.callback((resume) => {
    const sent = request({ host: "127.0.0.1", port: server.port, path: `/socket/longpoll?vsn=2.0.0${query}`, agent: false, ...options }, (response) => {
        let text = "";
        response.on("data", (data) => (text += data.toString()));
        response.on("end", () => {
            const body = text === "" ? { status: 0 } : JSON.parse(text);
            resume(Effect.succeed({ http: response.statusCode ?? 0, headers: response.headers, body }));
        });
    });
    sent.on("error", (error) => resume(Effect.die(error)));
    sent.end(options.body);
    return Effect.sync(() => sent.destroy());
});
/** Opens a session with raw requests. */
const session = Effect.fnUntraced(function* (server, user = "u1") {
    const jwt = yield* server.token(user);
    const { http, body } = yield* send(server, `&token=${jwt}`);
    assert.strictEqual(http, 200);
    assert.deepStrictEqual({ ...body, token: "" }, { status: 410, token: "", messages: [] });
    const query = `&token=${jwt}&token=${body.token ?? ""}`;
    return {
        query,
        poll: Effect.map(send(server, query), (answer) => answer.body),
        post: (...lines) => Effect.map(send(server, query, { method: "POST", body: lines.join("\n") }), (answer) => answer.body.status),
    };
});
const frame = (...parts) => JSON.stringify(parts);
const quick = { sweepInterval: Duration.millis(20), pollWindow: Duration.millis(80), pollTimeout: Duration.millis(150) };
describe("the long-poll fallback", () => {
    it.live("opens a session with 410, accepts lines, responds with messages, and ends an idle poll with 204", () => Effect.gen(function* () {
        const server = yield* start({ limits: { ...quick, pollTimeout: Duration.seconds(15) } });
        const { poll, post } = yield* session(server);
        assert.strictEqual(yield* post(frame("1", "1", "room:a", "phx_join", {}), frame("1", "2", "room:a", "echo", { text: "hi" })), 200);
        const { status, messages = [] } = yield* poll;
        assert.strictEqual(status, 200);
        assert.deepStrictEqual(messages.map((message) => JSON.parse(message)[4]), [
            { status: "ok", response: { room: "a" } },
            { status: "ok", response: { text: "hi" } },
        ]);
        assert.strictEqual((yield* poll).status, 204);
        assert.strictEqual(server.endpoint.size(), 1);
    }));
    it.live("a pending poll ends when a message arrives, with all messages of the turn in one response", () => Effect.gen(function* () {
        const server = yield* start();
        const { poll, post } = yield* session(server);
        yield* post(frame("1", "1", "room:a", "phx_join", {}));
        yield* poll;
        const pendingPoll = yield* Effect.forkChild(poll);
        const other = yield* joined(server, "room:b");
        yield* other.nothing;
        server.topics.deliver("room:a", "said", { text: "1" });
        server.topics.deliver("room:a", "said", { text: "2" });
        assert.deepStrictEqual((yield* Fiber.join(pendingPoll)).messages, [
            frame(null, null, "room:a", "said", { text: "1" }),
            frame(null, null, "room:a", "said", { text: "2" }),
        ]);
    }));
    it.live("accepts binary messages in base64, and sends binary messages as text with base64 data", () => Effect.gen(function* () {
        const server = yield* start();
        const { poll, post } = yield* session(server);
        yield* post(frame("1", "1", "room:a", "phx_join", {}));
        yield* poll;
        const names = ["1", "2", "room:a", "bytes"];
        const push = Buffer.concat([
            Buffer.of(0, ...names.map((name) => name.length)),
            Buffer.from(names.join("")),
            Buffer.of(1, 2, 255),
        ]);
        assert.strictEqual(yield* post(push.toString("base64")), 200);
        assert.deepStrictEqual((yield* poll).messages, [
            frame("1", "2", "room:a", "phx_reply", { status: "ok", response: { data: "AQL/" } }),
        ]);
        yield* post(frame("1", "3", "room:a", "join"), Buffer.from("x").toString("base64"));
        assert.strictEqual((yield* poll).status, 410);
    }));
    it.live("a session without polls ends with its memberships; a later poll opens a new session", () => Effect.gen(function* () {
        const server = yield* start({ limits: quick });
        const { post, query } = yield* session(server);
        yield* post(frame("1", "1", "room:a", "phx_join", {}));
        yield* eventually(() => server.endpoint.size() === 0);
        assert.deepStrictEqual(server.callLog, ["join a", "leave a"]);
        assert.strictEqual(yield* post(frame(null, "1", "phoenix", "heartbeat", {})), 410);
        const { body } = yield* send(server, query);
        assert.strictEqual(body.status, 410);
        assert.notInclude(query, body.token ?? "");
    }));
    it.live("rejects a bad token, origin, method, size or body with a status in the response body", () => Effect.gen(function* () {
        const server = yield* start({ limits: { maxFrameBytes: 100_000 } });
        const token = yield* server.token("u1");
        const status = (query, headers = {}) => Effect.map(send(server, query, { headers }), ({ body }) => body.status);
        assert.strictEqual(yield* status(""), 403);
        assert.strictEqual(yield* status("&token=forged"), 403);
        assert.strictEqual(yield* status(`&token=${token}`, { origin: "https://evil.example" }), 403);
        assert.strictEqual(yield* status("", { "x-phoenix-authtoken": token }), 410);
        assert.strictEqual((yield* send(server, "", { method: "PUT" })).http, 400);
        assert.strictEqual((yield* send(server, "&token=x", { method: "POST", body: "[]" })).body.status, 410);
        const one = yield* session(server);
        const heartbeat = frame(null, "1", "phoenix", "heartbeat", {});
        // regression: a body of more than 100 lines was rejected, and none of them was handled.
        assert.strictEqual(yield* one.post(...Array.from({ length: 101 }, () => heartbeat)), 200);
        assert.lengthOf((yield* one.poll).messages ?? [], 101);
        // regression: more lines than may wait were answered with 408 although none waited.
        assert.strictEqual(yield* one.post(...Array.from({ length: 1200 }, () => heartbeat)), 200);
        assert.lengthOf((yield* one.poll).messages ?? [], 1200);
        assert.strictEqual(yield* one.post("x".repeat(200_000)), 413);
        assert.strictEqual(yield* one.post("[1]"), 410);
    }));
    it.live("every malformed body gets a response, and the server stays available", () => Effect.gen(function* () {
        const server = yield* start();
        const bodies = ["", "\n\n\n", "====", "[", "[[[[", "{}", "null", "\u0000\u0001", "AAAA", "[1,2]\n[3]", "%%%"];
        for (const body of bodies) {
            const one = yield* session(server);
            assert.include([200, 410], yield* one.post(body), body);
        }
        const query = "&token=&token=poll.x&token=__proto__&token=constructor";
        assert.strictEqual((yield* send(server, query)).body.status, 403);
        const alive = yield* session(server);
        assert.strictEqual(yield* alive.post(frame(null, "1", "phoenix", "heartbeat", {})), 200);
        assert.strictEqual((yield* alive.poll).status, 200);
    }));
    it.live("allows cross-origin requests of allowed origins, and forbids caching", () => Effect.gen(function* () {
        const server = yield* start({ allowedOrigins: ["https://app.example"] });
        const preflight = yield* send(server, "", { method: "OPTIONS", headers: { origin: "https://app.example" } });
        assert.strictEqual(preflight.http, 200);
        assert.strictEqual(preflight.headers["access-control-allow-origin"], "*");
        assert.include(preflight.headers["access-control-allow-headers"], "x-phoenix-authtoken");
        const token = yield* server.token("u1");
        const answer = yield* send(server, `&token=${token}`, { headers: { origin: "https://app.example" } });
        assert.strictEqual(answer.body.status, 410);
        assert.strictEqual(answer.headers["cache-control"], "no-store");
    }));
    it.live("the official client falls back when its WebSocket is blocked", () => Effect.gen(function* () {
        const server = yield* start();
        const token = yield* server.token("u1");
        const blocked = createServer((incoming, response) => server.endpoint.handleRequest(incoming, response));
        blocked.on("upgrade", (_, socket) => socket.destroy());
        blocked.listen(0, "127.0.0.1");
        yield* Effect.promise(() => once(blocked, "listening"));
        yield* Effect.addFinalizer(() => Effect.sync(() => {
            blocked.closeAllConnections();
            blocked.close();
        }));
        const address = blocked.address();
        const port = typeof address === "object" && address !== null ? address.port : 0;
        const socket = new Socket(`ws://127.0.0.1:${port}/socket`, {
            params: { token },
            longPollFallbackMs: 1000,
            reconnectAfterMs: () => 20,
            rejoinAfterMs: () => 20,
        });
        yield* Effect.addFinalizer(() => Effect.sync(() => socket.disconnect()));
        socket.connect();
        const channel = socket.channel("room:a");
        const received = [];
        channel.on("said", ({ text }) => received.push(text));
        channel.join();
        yield* eventually(() => channel.state === "joined");
        for (const text of ["1", "2", "3"])
            channel.push("say", { text });
        yield* eventually(() => received.length === 3);
        assert.deepStrictEqual(received, ["1", "2", "3"]);
        channel.push("crash", {});
        yield* eventually(() => server.callLog.filter((line) => line === "join a").length === 2 && channel.state === "joined");
    }));
});
