import { request } from "node:http";
import { Revocations } from "@armoricore/auth/Revocations";
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Context, Duration, Effect } from "effect";
import { IpNetwork } from "effect/net";
import { connect, joined, start } from "../support/TestServer.ts";
/** The response to a rejected upgrade. */
const rejectionOf = Effect.fnUntraced(function* (server, options) {
    const token = options.token ?? (yield* server.token(options.user ?? "u1"));
    return yield* Effect.callback((resume) => {
        const sent = request({
            host: "127.0.0.1",
            port: server.port,
            path: `/socket/websocket?vsn=2.0.0&token=${token}`,
            agent: false,
            headers: {
                connection: "Upgrade",
                upgrade: "websocket",
                "sec-websocket-version": "13",
                "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
                ...options.headers,
            },
        });
        sent.on("upgrade", (_, socket) => {
            socket.destroy();
            resume(Effect.succeed({ status: 101, body: {} }));
        });
        sent.on("response", (response) => {
            let text = "";
            response.on("data", (data) => (text += data.toString()));
            response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, body: JSON.parse(text) })));
        });
        sent.end();
    });
});
const hasSockets = (server, size) => eventually(() => server.endpoint.size() === size);
describe("connections", () => {
    it.live("a socket over the limit of its user is rejected with 429, and accepted once another one closed", () => Effect.gen(function* () {
        const server = yield* start({ limits: { maxSocketsPerUser: 2 } });
        const first = yield* connect(server);
        yield* connect(server);
        const { status, body } = yield* rejectionOf(server, {});
        assert.strictEqual(status, 429);
        assert.strictEqual(body["reason"], "too_many_connections");
        assert.include(String(body["detail"]), "this user");
        yield* connect(server, { user: "u2" });
        first.ws.terminate();
        yield* hasSockets(server, 2);
        yield* connect(server);
    }));
    it.live("a socket over the limit of its address is rejected; only trusted proxies may forward the address", () => Effect.gen(function* () {
        const from = (address) => ({ headers: { "x-forwarded-for": address } });
        const proxied = yield* start({
            limits: { maxSocketsPerAddress: 1 },
            trustedProxies: [IpNetwork.fromStringUnsafe("127.0.0.0/8"), IpNetwork.fromStringUnsafe("10.0.0.0/8")],
        });
        yield* connect(proxied, from("6.6.6.6, 203.0.113.1, 10.1.2.3"));
        yield* connect(proxied, from("203.0.113.1, 203.0.113.2"));
        yield* connect(proxied, from("2001:db8:0:1::1"));
        for (const address of ["203.0.113.1", "9.9.9.9, 203.0.113.2:4444", "[2001:db8:0:1::2]:80"]) {
            assert.strictEqual((yield* rejectionOf(proxied, from(address))).status, 429, address);
        }
        const plain = yield* start({ limits: { maxSocketsPerAddress: 1 } });
        yield* connect(plain, from("203.0.113.1"));
        assert.strictEqual((yield* rejectionOf(plain, from("203.0.113.2"))).status, 429);
    }));
    it.live("the origin of a page must match the host that a trusted proxy forwards", () => Effect.gen(function* () {
        const headers = { origin: "https://app.example", "x-forwarded-host": "app.example" };
        const trustedProxies = [IpNetwork.fromStringUnsafe("127.0.0.1/32")];
        yield* connect(yield* start({ trustedProxies }), { headers });
        assert.strictEqual((yield* rejectionOf(yield* start(), { headers })).body["reason"], "forbidden_origin");
    }));
    it.live("missing, forged and unsigned tokens are rejected with 401", () => Effect.gen(function* () {
        const server = yield* start();
        const none = [`{"alg":"none"}`, `{"sub":"u1","exp":99999999999}`]
            .map((part) => Buffer.from(part).toString("base64url"))
            .join(".");
        for (const token of ["", "forged", `${none}.`]) {
            const { status, body } = yield* rejectionOf(server, { token });
            assert.deepStrictEqual([status, body["reason"]], [401, "unauthorized"]);
        }
    }));
});
describe("rates", () => {
    it.live("messages over the rate of a user get `rate_limit` on all sockets of the user; other users are not affected", () => Effect.gen(function* () {
        const server = yield* start({
            limits: { userMessages: { perSecond: 1, burst: 5 }, maxRateLimitReplies: 1000 },
        });
        const [one, two] = [yield* joined(server, "room:a"), yield* joined(server, "room:b")];
        for (let n = 0; n < 10; n++)
            one.send("1", `${n}`, "room:a", "echo", { text: "x" });
        const answers = [];
        for (let n = 0; n < 10; n++)
            answers.push((yield* one.next)[4]);
        const limited = answers.filter(({ status }) => status === "error");
        assert.isAtLeast(limited.length, 6);
        assert.include(JSON.stringify(limited[0]), '"reason":"rate_limit","retry_after_ms":');
        two.send("1", "2", "room:b", "echo", { text: "x" });
        assert.strictEqual((yield* two.next)[4]["status"], "error");
        const other = yield* joined(server, "room:a", { user: "u2" });
        yield* other.nothing;
    }));
    it.live("a flood gets a limited number of replies, then the socket is not read until the next sweep", () => Effect.gen(function* () {
        const server = yield* start({
            limits: {
                userMessages: { perSecond: 2000, burst: 100 },
                maxRateLimitReplies: 20,
                sweepInterval: Duration.millis(50),
            },
        });
        const client = yield* joined(server, "room:a");
        const witness = yield* joined(server, "room:a", { user: "u2" });
        const text = "x".repeat(1000);
        for (let n = 0; n < 2000; n++)
            client.send("1", `${n}`, "room:a", "echo", { text });
        yield* witness.nothing;
        assert.isBelow(client.received.length, 2000);
        let ok = 0;
        for (let n = 0; n < 2000; n++)
            if ((yield* client.next)[4]["status"] === "ok")
                ok++;
        assert.isBelow(ok, 2000);
        // Without the pause, the flood ends before the allowance grows, and nearly all messages are rejected.
        assert.isAbove(ok, 800);
        yield* client.nothing;
    }));
    it.live("a message far over the size limit gets `too_large` and counts as many messages", () => Effect.gen(function* () {
        // regression: such frames were parsed completely, one after the other, which delayed other sockets.
        const userMessages = { perSecond: 0.1, burst: 161 };
        const server = yield* start({ limits: { userMessages } });
        const client = yield* joined(server, "room:a");
        const numbers = "1,".repeat(500_000);
        const send = (ref) => client.ws.send(`[ "1" , "${ref}","room:\\u0061","echo",{"text":[${numbers}1]}]`);
        for (let ref = 0; ref < 20; ref++)
            send(ref);
        const reasons = new Map();
        for (let ref = 0; ref < 20; ref++) {
            const [joinRef, replyRef, topic, , { response }] = yield* client.next;
            assert.deepStrictEqual([joinRef, replyRef, topic], ["1", `${ref}`, "room:a"]);
            const reason = /"reason":"([^"]*)"/.exec(JSON.stringify(response))?.[1];
            reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
        }
        // Each frame counts as 16 messages, because 16 messages of maximum size would fit into it.
        assert.deepStrictEqual([...reasons], [
            ["too_large", 10],
            ["rate_limit", 10],
        ]);
        assert.isUndefined(client.closed);
    }));
    it.live("100,000 joins of valid and unknown topics use little memory and close no socket", () => Effect.gen(function* () {
        const server = yield* start({
            limits: { userJoins: { perSecond: 50, burst: 500 }, maxRateLimitReplies: 1_000_000, maxTopics: 100 },
        });
        const client = yield* connect(server);
        const witness = yield* joined(server, "room:z", { user: "u2" });
        const before = process.memoryUsage().heapUsed;
        const outcomes = new Map();
        for (let batch = 0; batch < 100; batch++) {
            for (let n = 0; n < 1000; n++) {
                const topic = n % 2 === 0 ? `room:${batch}-${n}` : `nothing:${n}`;
                client.send(`${n}`, `${n}`, topic, "phx_join", batch + n === 0 ? {} : { how: "refused" });
            }
            for (let n = 0; n < 1000; n++) {
                const response = JSON.stringify((yield* client.next)[4]);
                const reason = /"reason":"([^"]*)"/.exec(response)?.[1] ?? "ok";
                outcomes.set(reason, (outcomes.get(reason) ?? 0) + 1);
            }
        }
        yield* witness.nothing;
        assert.strictEqual(outcomes.get("ok"), 1);
        assert.isAbove(outcomes.get("rate_limit") ?? 0, 50_000);
        assert.isBelow(process.memoryUsage().heapUsed - before, 100_000_000);
    }), 30_000);
});
describe("revocation", () => {
    it.live("of a user closes all sockets of the user with 4001 and rejects the token; later tokens are valid", () => Effect.gen(function* () {
        const server = yield* start();
        const token = yield* server.token("u1");
        const [one, two] = [yield* connect(server, { token }), yield* connect(server, { token })];
        const other = yield* joined(server, "room:a", { user: "u2" });
        yield* server.revocations.revoke({ userId: "u1" });
        for (const client of [one, two])
            assert.deepStrictEqual(yield* client.close, { code: 4001, reason: "revoked" });
        const { status, body } = yield* rejectionOf(server, { token });
        assert.strictEqual(status, 401);
        assert.include(String(body["detail"]), "revoked");
        other.send("1", "2", "room:a", "access_token", { token });
        assert.include(JSON.stringify(yield* other.next), '"reason":"unauthorized"');
        yield* other.nothing;
        // Revocations have a resolution of one second.
        yield* eventually(() => Date.now() % 1000 <= 20);
        yield* connect(server, { user: "u1" });
    }));
    it.live("of one token does not affect the other tokens of the user", () => Effect.gen(function* () {
        const server = yield* start();
        const client = yield* connect(server);
        yield* server.revocations.revoke({ tokenId: "t1" });
        const revocations = Context.get(server.services, Revocations);
        const identity = { userId: "u1", roles: [], expiresAt: 0 };
        assert.isTrue(revocations.isRevoked({ ...identity, tokenId: "t1" }));
        assert.isFalse(revocations.isRevoked({ ...identity, tokenId: "t2" }));
        yield* client.nothing;
    }));
});
