/**
 * What realtime costs beside its peers: ours, raw `ws` that encodes each broadcast once, and socket.io, each in a process
 * of its own, by turns in one run.
 *
 * - saturated: 1,000 subscribers of one topic, broadcasts as fast as they are read: CPU of the server per delivery;
 * - paced: 20 broadcasts a second: CPU, and how late a message arrives;
 * - idle: 10,000 sockets: memory of each, and how many connect a second. Ours verify a JWT and join a chat room and a
 *   presence room of 100 besides; the peers do nothing but connect.
 *
 * CPU is the server process's own. Usage: `npm run bench:realtime [-- rounds [idle sockets [idle | connect]]]`;
 * with `idle` at the end only that part runs, with `connect` no socket joins a topic, and nothing is written.
 */
import * as Tokens from "@armoricore/auth/Tokens";
import { runBenchmark } from "../cli.ts";
import { Console, Duration, Effect, Redacted } from "effect";
import { secret, topic } from "./Protocol.ts";
import { connectClients, totalFrames, joinTopic, startServer, serverFlags, waitUntil, } from "./ServerProcess.ts";
import * as Results from "../Results.ts";
const rounds = Number(process.argv[2] ?? 2);
const idleSockets = Number(process.argv[3] ?? 10_000);
const subscribers = 1000;
const saturatedMessages = 200;
const pacedMessages = 100;
const roomSize = 100;
/** Subscribers that hear every broadcast. */
const audience = Effect.fnUntraced(function* (server, tokens) {
    const { clients } = yield* connectClients(server, subscribers, (index) => tokens[index] ?? "");
    const before = totalFrames(clients);
    if (server.kind === "armoricore") {
        for (const client of clients)
            joinTopic(client, "1", topic);
        yield* waitUntil(() => totalFrames(clients) - before >= subscribers);
    }
    else if (server.kind === "socket.io") {
        for (const client of clients)
            client.send("40");
        yield* waitUntil(() => totalFrames(clients) >= 2 * subscribers);
    }
    yield* Effect.sleep(Duration.millis(300));
    return clients;
});
const saturated = Effect.fnUntraced(function* (server, tokens) {
    const clients = yield* audience(server, tokens);
    let total = 0;
    let reported = 0;
    for (const client of clients) {
        client.onData((_, frames) => {
            total += frames;
            const arrived = Math.floor(total / subscribers);
            if (arrived - reported >= 10 || (arrived >= saturatedMessages && reported < saturatedMessages)) {
                reported = arrived;
                server.send({ order: "arrived", messages: arrived });
            }
        });
    }
    const from = performance.now();
    const order = { order: "saturate", messages: saturatedMessages, window: 100, batch: 10 };
    const { cpuMicros } = yield* Effect.promise(() => server.request(order, "done"));
    const deliveries = saturatedMessages * subscribers;
    return { cpuPerMillion: cpuMicros / deliveries, perSecond: deliveries / ((performance.now() - from) / 1000) };
}, Effect.scoped);
const marker = Buffer.from('"t":"');
const paced = Effect.fnUntraced(function* (server, tokens) {
    const clients = yield* audience(server, tokens);
    const late = [];
    for (const client of clients) {
        client.onData((chunk) => {
            const at = chunk.lastIndexOf(marker);
            if (at !== -1) {
                const sentAt = Number(chunk.toString("latin1", at + marker.length, at + marker.length + 17));
                late.push(performance.timeOrigin + performance.now() - sentAt);
            }
        });
    }
    const order = { order: "pace", messages: pacedMessages, everyMillis: 50 };
    const { cpuMicros } = yield* Effect.promise(() => server.request(order, "done"));
    late.sort((a, b) => a - b);
    return {
        cpuPerMillion: cpuMicros / (pacedMessages * subscribers),
        p50: late[Math.floor(late.length * 0.5)] ?? Number.NaN,
        p99: late[Math.floor(late.length * 0.99)] ?? Number.NaN,
    };
}, Effect.scoped);
const idle = Effect.fnUntraced(function* (server, tokens) {
    const measure = Effect.promise(() => server.request({ order: "measure" }, "measured"));
    // Code that the first connections load and compile does not count as memory of a socket.
    yield* Effect.scoped(connectClients(server, 200, (index) => tokens[index] ?? ""));
    yield* Effect.sleep(Duration.millis(500));
    const before = yield* measure;
    const { clients, seconds } = yield* connectClients(server, idleSockets, (index) => tokens[index] ?? "");
    const connected = yield* measure;
    const joinedFrom = performance.now();
    if (server.kind === "armoricore" && process.argv[4] !== "connect") {
        // As clients do: each joins when it is there, some at a time.
        yield* Effect.forEach(clients, (client, index) => {
            const room = Math.floor(index / roomSize);
            const answered = client.frames() + 3;
            joinTopic(client, "1", `chat:room:r${room}`);
            joinTopic(client, "2", `presence:room:r${room}`);
            return Effect.repeat(Effect.sleep(1), { while: () => client.frames() < answered });
        }, { concurrency: 50, discard: true });
    }
    else if (server.kind === "socket.io") {
        for (const client of clients)
            client.send("40");
        yield* waitUntil(() => totalFrames(clients) >= 2 * idleSockets);
    }
    const joinSeconds = (performance.now() - joinedFrom) / 1000;
    yield* Effect.sleep(Duration.seconds(3));
    const after = yield* measure;
    return {
        kib: (after.rss - before.rss) / 1024 / idleSockets,
        perSecond: idleSockets / seconds,
        cpuMicrosPerConnect: (connected.cpuMicros - before.cpuMicros) / idleSockets,
        joinSeconds,
        heapKibConnected: (connected.heapUsed - before.heapUsed) / 1024 / idleSockets,
        heapKib: (after.heapUsed - before.heapUsed) / 1024 / idleSockets,
    };
}, Effect.scoped);
const least = (values) => Math.min(...values);
/** Runs `measure` against a fresh server of each kind, by turns. */
const byTurns = Effect.fnUntraced(function* (name, kinds, times, measure, tokens) {
    const found = new Map(kinds.map((kind) => [kind, []]));
    for (let round = 0; round < times; round++) {
        for (const kind of kinds) {
            const result = yield* Effect.scoped(Effect.flatMap(startServer(kind), (server) => measure(server, tokens)));
            yield* Console.log(name, kind, JSON.stringify(result));
            found.get(kind)?.push(result);
        }
    }
    return (kind, value) => least((found.get(kind) ?? []).map(value));
});
const program = Effect.gen(function* () {
    const signer = yield* Tokens.Tokens;
    const tokens = yield* Effect.forEach(Array.from({ length: idleSockets }, (_, index) => index), (index) => signer.sign({ userId: `user-${index}`, ttl: Duration.hours(1) }));
    const kinds = ["armoricore", "ws", "socket.io"];
    if (process.argv[4] !== undefined) {
        yield* byTurns("idle", ["armoricore", "ws"], rounds, idle, tokens);
        return;
    }
    const busy = yield* byTurns("saturated", kinds, rounds, saturated, tokens);
    const calm = yield* byTurns("paced", kinds, rounds, paced, tokens);
    const still = yield* byTurns("idle", kinds, Math.min(rounds, 2), idle, tokens);
    const rows = kinds.map((kind) => {
        const cpu = busy(kind, (result) => result.cpuPerMillion);
        const pacedCpu = calm(kind, (result) => result.cpuPerMillion);
        const p99 = calm(kind, (result) => result.p99);
        const rate = -still(kind, (result) => -result.perSecond);
        const beside = (value, other) => (kind === "ws" ? "" : ` (${(value / other).toFixed(2)})`);
        return [
            kind,
            `${cpu.toFixed(2)}${beside(cpu, busy("ws", (result) => result.cpuPerMillion))}`,
            `${(-busy(kind, (result) => -result.perSecond) / 1000).toFixed(0)}k`,
            `${pacedCpu.toFixed(2)}${beside(pacedCpu, calm("ws", (result) => result.cpuPerMillion))}`,
            `${calm(kind, (result) => result.p50).toFixed(1)} / ${p99.toFixed(1)}${beside(p99, calm("ws", (result) => result.p99))}`,
            still(kind, (result) => result.kib).toFixed(1),
            `${rate.toFixed(0)}${beside(rate, -still("ws", (result) => -result.perSecond))}`,
            still(kind, (result) => result.cpuMicrosPerConnect).toFixed(0),
        ];
    });
    const head = [
        "server",
        "CPU s per 1M deliveries, saturated",
        "deliveries/s",
        "CPU s per 1M, 20 broadcasts/s",
        "p50 / p99 ms",
        "KiB per idle socket",
        "connections/s",
        "CPU µs per connection",
    ];
    const body = [
        `${subscribers} subscribers; ${idleSockets} idle sockets, of which ours verified a JWT and joined a chat room and a presence room of ${roomSize}, 50 at a time; ours runs with the flags that the launcher sets (${serverFlags.join(" ")}). The best of ${rounds} rounds (idle: ${Math.min(rounds, 2)}); in brackets, parts of raw \`ws\` that encodes each broadcast once.`,
        Results.markdownTable([head, ...rows]),
        "Aim: at most 0.30 of its CPU saturated, 1.1 of its CPU and 1.2 of its p99 at 20 broadcasts/s; at most 20 KiB a socket; at least 0.6 of its connections/s.",
    ].join("\n\n");
    yield* Results.writeSection("realtime", "npm run bench:realtime", body);
    yield* Console.log(body);
});
runBenchmark(Effect.provide(program, Tokens.layer({ keys: { _tag: "Secret", secret: Redacted.make(secret) } })));
