import { createConnection } from "node:net";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Exit, Scope } from "effect";
import { connect, joined, RawClient, start } from "../support/TestServer.ts";
const status = (server, options) => Effect.flip(connect(server, options));
describe("the upgrade", () => {
    it.live("rejects an invalid token with 401, an unknown vsn or a foreign origin with 403", () => Effect.gen(function* () {
        const server = yield* start();
        const token = yield* server.token("u1");
        assert.strictEqual(yield* status(server, { query: "vsn=2.0.0" }), 401);
        assert.strictEqual(yield* status(server, { token: "forged" }), 401);
        assert.strictEqual(yield* status(server, { token: `${token}x` }), 401);
        assert.strictEqual(yield* status(server, { query: `vsn=3.0.0&token=${token}` }), 403);
        assert.strictEqual(yield* status(server, { headers: { origin: "https://evil.example" } }), 403);
        assert.strictEqual(yield* status(server, { headers: { origin: "null" } }), 403);
        yield* connect(server, { headers: { origin: `http://127.0.0.1:${server.port}` } });
    }));
    it.live("allows configured origins, or any origin", () => Effect.gen(function* () {
        const named = yield* start({ allowedOrigins: ["https://app.example"] });
        yield* connect(named, { headers: { origin: "https://app.example" } });
        assert.strictEqual(yield* status(named, { headers: { origin: "https://app.example.evil" } }), 403);
        yield* connect(yield* start({ allowedOrigins: "any" }), { headers: { origin: "https://anything.example" } });
    }));
    it.live("rejects another method with 400 and leaves another path to its caller", () => Effect.gen(function* () {
        const server = yield* start();
        const answer = (head) => Effect.callback((resume) => {
            const socket = createConnection(server.port, "127.0.0.1", () => socket.write(`${head}\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`));
            let text = "";
            socket.on("data", (data) => (text += data.toString()));
            socket.on("close", () => resume(Effect.succeed(text.split("\r\n", 1)[0] ?? "")));
        });
        assert.strictEqual(yield* answer("POST /socket/websocket HTTP/1.1"), "HTTP/1.1 400 Bad Request");
        assert.strictEqual(yield* answer("GET /other HTTP/1.1"), "");
        assert.strictEqual(yield* answer("GET /socket/websocket?vsn=%zz HTTP/1.1"), "HTTP/1.1 403 Forbidden");
    }));
    it.live("answers a request without `Upgrade` with 426 and the hint to the proxy", () => Effect.gen(function* () {
        // regression: it got 404, although a proxy that removes `Upgrade` is the commonest fault of a deployment.
        const server = yield* start();
        const response = yield* Effect.promise(() => fetch(`http://127.0.0.1:${server.port}/socket/websocket?vsn=2.0.0`, {
            headers: { "sec-websocket-version": "13" },
        }));
        assert.strictEqual(response.status, 426);
        assert.strictEqual(response.headers.get("upgrade"), "websocket");
        assert.strictEqual(response.headers.get("content-type"), "application/problem+json");
        const problem = yield* Effect.promise(() => response.json());
        assert.deepInclude(problem, { status: 426, reason: "upgrade_required" });
        assert.include(JSON.stringify(problem), "proxy");
    }));
    it.live("reads the token from the query, a subprotocol in either base64 alphabet, or a header", () => Effect.gen(function* () {
        const server = yield* start();
        const token = yield* server.token("u1", { roles: ["ü~~~>>>???"] });
        yield* connect(server, { query: `vsn=2.0.0&token=stale&token=${token}` });
        for (const alphabet of ["base64", "base64url"]) {
            const encoded = Buffer.from(token).toString(alphabet).replaceAll("=", "");
            const client = yield* connect(server, {
                query: "vsn=2.0.0",
                protocols: ["phoenix", `base64url.bearer.phx.${encoded}`],
            });
            assert.strictEqual(client.ws.protocol, "phoenix");
        }
        yield* connect(server, { query: "vsn=2.0.0", headers: { authorization: `Bearer ${token}` } });
    }));
    it.live("ignores an empty token and reads the next place", () => Effect.gen(function* () {
        const server = yield* start();
        const token = yield* server.token("u1");
        const protocols = ["phoenix", `base64url.bearer.phx.${Buffer.from(token).toString("base64url")}`];
        yield* connect(server, { query: "vsn=2.0.0&token=", protocols });
        yield* connect(server, { query: `vsn=2.0.0&token=${token}&token=` });
        yield* connect(server, { query: "vsn=2.0.0&token=", headers: { authorization: `Bearer ${token}` } });
        const empty = ["phoenix", "base64url.bearer.phx."];
        yield* connect(server, { query: "vsn=2.0.0", protocols: empty, headers: { authorization: `Bearer ${token}` } });
        assert.strictEqual(yield* status(server, { query: "vsn=2.0.0&token=", protocols: empty }), 401);
    }));
    it.live("uses the V1 serializer if the request has no vsn", () => Effect.gen(function* () {
        const server = yield* start();
        const client = yield* connect(server, { query: `token=${yield* server.token("u1")}` });
        const send = (event, payload, ref) => client.ws.send(JSON.stringify({ topic: "room:a", event, payload, ref }));
        send("phx_join", {}, "1");
        assert.strictEqual((yield* client.raw).toString(), '{"topic":"room:a","event":"phx_reply","payload":{"status":"ok","response":{"room":"a"}},"ref":"1"}');
        server.topics.deliver("room:a", "said", { text: "hi" });
        assert.strictEqual((yield* client.raw).toString(), '{"topic":"room:a","event":"said","payload":{"text":"hi"},"ref":null}');
        send("phx_leave", {}, "2");
        yield* client.raw;
        assert.strictEqual((yield* client.raw).toString(), '{"topic":"room:a","event":"phx_close","payload":{},"ref":null}');
    }));
});
describe("the expiry of a token", () => {
    const limits = { sweepInterval: Duration.millis(20) };
    it.live("closes the socket with 4001", () => Effect.gen(function* () {
        const server = yield* start({ limits });
        const client = yield* connect(server, { token: yield* server.token("u1", { ttl: Duration.seconds(1) }) });
        assert.deepStrictEqual(yield* client.close, { code: 4001, reason: "token_expired" });
    }));
    it.live("moves with access_token and a new token of the same user", () => Effect.gen(function* () {
        const server = yield* start({ limits });
        const short = yield* server.token("u1", { ttl: Duration.seconds(2) });
        const client = yield* joined(server, "room:a", { token: short });
        const other = yield* joined(server, "room:a", { token: short });
        const push = (token) => client.send("1", "2", "room:a", "access_token", { token });
        for (const token of [yield* server.token("u2"), "forged", undefined, 5]) {
            push(token);
            assert.include(JSON.stringify(yield* client.next), '"reason":"unauthorized"');
        }
        push(yield* server.token("u1"));
        const [, , , , answer] = yield* client.next;
        assert.strictEqual(answer["status"], "ok");
        assert.match(JSON.stringify(answer["response"]), /^\{"expires_at":"20\d\d-.*Z"\}$/);
        assert.strictEqual((yield* other.close).code, 4001);
        yield* client.nothing;
    }));
    it.live("a new token with fewer `channels` ends the memberships of the other topics", () => Effect.gen(function* () {
        // regression: the memberships of the other topics stayed open.
        const server = yield* start();
        const client = yield* joined(server, "room:a");
        client.send("2", "2", "room:b", "phx_join", {});
        yield* client.next;
        client.send("2", "3", "room:b", "access_token", { token: yield* server.token("u1", { channels: ["room:b"] }) });
        assert.strictEqual((yield* client.next)[4]["status"], "ok");
        assert.deepStrictEqual(yield* client.next, ["1", "1", "room:a", "phx_close", { reason: "unauthorized" }]);
        server.topics.deliver("room:a", "said", { text: "secret" });
        client.send("1", "4", "room:a", "phx_join", {});
        assert.include(JSON.stringify(yield* client.next), '"reason":"unauthorized"');
        server.topics.deliver("room:b", "said", { text: "still there" });
        assert.deepStrictEqual(yield* client.next, [null, null, "room:b", "said", { text: "still there" }]);
    }));
});
describe("a drain", () => {
    it.live("closes every socket with 1012 in batches and runs each `leave`", () => Effect.gen(function* () {
        const life = yield* Scope.make();
        const server = yield* Scope.provide(start({ limits: { drainDuration: Duration.millis(200) } }), life);
        const clients = [];
        for (let index = 0; index < 8; index++)
            clients.push(yield* joined(server, `room:${index}`));
        const closedAt = [];
        for (const client of clients)
            client.ws.on("close", () => closedAt.push(Date.now()));
        yield* Scope.close(life, Exit.void);
        for (const client of clients)
            assert.deepStrictEqual(yield* client.close, { code: 1012, reason: "service_restart" });
        assert.isAtLeast(Math.max(...closedAt) - Math.min(...closedAt), 100);
        assert.strictEqual(server.callLog.filter((line) => line.startsWith("leave")).length, 8);
        assert.strictEqual(server.endpoint.size(), 0);
    }));
});
