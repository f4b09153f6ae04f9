/**
 * What it costs to be many nodes:
 *
 * - CPU of a delivery on two nodes beside one, 1,000 subscribers in all, messages from NATS at a pace;
 * - how late a message from NATS is on the socket, beside a bare relay from NATS to `ws`, by turns;
 * - what a join costs presence in rooms of 10, 100 and 1,000 on three nodes, in CPU and in messages;
 * - how many messages 2, 10 and 50 nodes exchange, at rest and for each join.
 *
 * The first two are measured with real nodes and a real nats-server, the others with nodes in this process that count.
 * Usage: `npm run bench:cluster [-- rounds]`.
 */
import * as Tokens from "@armoricore/auth/Tokens";
import * as NatsServer from "@armoricore/testing/NatsServer";
import { runBenchmark } from "../cli.ts";
import { encode } from "@armoricore/realtime/cluster/BroadcastMessage";
import { Console, Duration, Effect, Redacted, Schedule } from "effect";
import { connect as connectNats } from "nats";
import { fileURLToPath } from "node:url";
import { start } from "../../packages/realtime/test/support/NodeProcess.ts";
import * as SimulatedCluster from "./SimulatedCluster.ts";
import { connect } from "../realtime/RawClient.ts";
import { event, payload, secret, topic } from "../realtime/Protocol.ts";
import * as Results from "../Results.ts";
const rounds = Number(process.argv[2] ?? 5);
const subscribers = 1000;
const listeners = 200;
const messages = 100;
const paceMillis = 200;
const relay = fileURLToPath(new URL("./relay.ts", import.meta.url));
const subject = `armoricore-live.room.${topic}`;
const waitUntil = (condition) => Effect.sync(condition).pipe(Effect.repeat({ schedule: Schedule.spaced("5 millis"), until: (holds) => holds }), Effect.timeoutOrElse({
    duration: "60 seconds",
    orElse: () => Effect.die(new Error(`${condition} does not come true`)),
}));
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
/** `count` sockets, distributed over the nodes; on a relay no socket joins. */
const connectAudience = Effect.fnUntraced(function* (nodes, count, joins) {
    const token = yield* Effect.flatMap(Tokens.Tokens, (tokens) => tokens.sign({ userId: "bench", ttl: Duration.hours(1) }));
    const clients = yield* Effect.forEach(Array.from({ length: count }, (_, index) => index), (index) => Effect.acquireRelease(Effect.promise(() => connect(joins ? "armoricore" : "ws", nodes[index % nodes.length]?.port ?? 0, token, "127.0.0.1")), (client) => Effect.sync(() => client.disconnect())), { concurrency: 50 });
    if (joins) {
        for (const client of clients)
            client.send(JSON.stringify(["1", "1", topic, "phx_join", {}]));
        yield* waitUntil(() => clients.every((client) => client.frames() >= 1));
    }
    yield* Effect.sleep("500 millis");
    return clients;
});
const publisher = (nats) => (seq) => {
    const message = { node: "bench", id: seq, isEchoed: false, event, payload: payload(seq), droppable: false };
    nats.publish(subject, encode({ ...message, seq: undefined, subtopic: undefined }));
};
/** CPU of all nodes for a million deliveries, in seconds. */
const measureDelivery = Effect.fnUntraced(function* (nats, nodes) {
    const clients = yield* connectAudience(nodes, subscribers, true);
    const publish = publisher(nats);
    const before = yield* Effect.forEach(nodes, ({ cpuMicros }) => cpuMicros);
    let total = 0;
    for (const client of clients)
        client.onData((_, frames) => (total += frames));
    // Far enough apart that no write gathers two: otherwise the slower side would find more to gather, and look cheaper.
    for (let sent = 0; sent < messages; sent++) {
        publish(sent);
        yield* Effect.sleep("100 millis");
    }
    yield* waitUntil(() => total >= messages * subscribers);
    const after = yield* Effect.forEach(nodes, ({ cpuMicros }) => cpuMicros);
    const used = after.reduce((sum, micros, index) => sum + micros - (before[index] ?? 0), 0);
    return used / (messages * subscribers);
}, Effect.scoped);
const marker = Buffer.from('"t":"');
/** How late messages arrive, in milliseconds. */
const measureLatency = Effect.fnUntraced(function* (nats, node, isOurs) {
    const clients = yield* connectAudience([node], listeners, isOurs);
    const publish = publisher(nats);
    const late = [];
    let arrived = 0;
    for (const client of clients) {
        client.onData((chunk, frames) => {
            arrived += frames;
            const at = chunk.lastIndexOf(marker);
            if (at === -1)
                return;
            const sentAt = Number(chunk.toString("latin1", at + marker.length, at + marker.length + 17));
            late.push(performance.timeOrigin + performance.now() - sentAt);
        });
    }
    for (let seq = 0; seq < paceMillis; seq++) {
        publish(seq);
        yield* Effect.sleep("20 millis");
    }
    yield* waitUntil(() => arrived >= paceMillis * listeners);
    late.sort((a, b) => a - b);
    return { p50: late[Math.floor(late.length * 0.5)] ?? NaN, p99: late[Math.floor(late.length * 0.99)] ?? NaN };
}, Effect.scoped);
const natsMeasurements = Effect.gen(function* () {
    const server = yield* NatsServer.make();
    const nats = yield* Effect.promise(() => connectNats({ servers: server.url }));
    const options = { nats: server.url, secret, heartbeatMillis: 5_000, nodeTimeoutMillis: 15_000 };
    const cpu = { 1: [], 2: [] };
    const late = { ours: [], relay: [] };
    for (let round = 0; round < rounds; round++) {
        for (const size of [1, 2]) {
            const run = Effect.gen(function* () {
                const nodes = yield* Effect.forEach(Array.from({ length: size }), () => start(options));
                return yield* measureDelivery(nats, nodes);
            });
            cpu[size].push(yield* Effect.scoped(run));
        }
        late.relay.push(yield* Effect.scoped(Effect.flatMap(start(options, relay), (node) => measureLatency(nats, node, false))));
        late.ours.push(yield* Effect.scoped(Effect.flatMap(start(options), (node) => measureLatency(nats, node, true))));
        yield* Console.log(JSON.stringify({ cpu, late }));
    }
    yield* Effect.promise(() => nats.close());
    const one = median(cpu[1]);
    const two = median(cpu[2]);
    const best = (name, part) => median(late[name].map((found) => found[part]));
    return [
        [
            ["nodes", "CPU-s per 1M deliveries", "of one"],
            ["1", one.toFixed(2), "1.00"],
            ["2", two.toFixed(2), (two / one).toFixed(2)],
        ],
        [
            ["NATS to socket", "p50 ms", "p99 ms", "of the relay"],
            ["bare relay", best("relay", "p50").toFixed(2), best("relay", "p99").toFixed(2), "1.00"],
            [
                "a node",
                best("ours", "p50").toFixed(2),
                best("ours", "p99").toFixed(2),
                (best("ours", "p99") / best("relay", "p99")).toFixed(2),
            ],
        ],
    ];
}).pipe(Effect.scoped);
const cpuMicros = Effect.sync(() => {
    const { user, system } = process.cpuUsage();
    return user + system;
});
/** One join after the other, each announced at once, in a room of `size` users on three nodes. */
const measureJoins = Effect.fnUntraced(function* (size) {
    const joins = 200;
    const { nodes, counts } = yield* SimulatedCluster.make(3, Duration.millis(1));
    for (let index = 0; index < size; index++) {
        const node = nodes[index % nodes.length];
        if (node !== undefined)
            yield* SimulatedCluster.join(node, `u${index}`);
    }
    yield* waitUntil(() => nodes.every((node) => SimulatedCluster.seen(node) === size));
    const sent = counts.sent;
    const before = yield* cpuMicros;
    for (let index = 0; index < joins; index++) {
        const node = nodes[index % nodes.length];
        if (node === undefined)
            continue;
        const { leave } = yield* SimulatedCluster.join(node, `guest${index}`);
        yield* waitUntil(() => nodes.every((one) => SimulatedCluster.seen(one) === size + 1));
        yield* leave;
        yield* waitUntil(() => nodes.every((one) => SimulatedCluster.seen(one) === size));
    }
    const used = (yield* cpuMicros) - before;
    return { micros: used / joins, messages: (counts.sent - sent) / joins };
}, Effect.scoped);
/** All users join within a moment, then stay idle. */
const countMessages = Effect.fnUntraced(function* (size) {
    const users = 500;
    const { nodes, counts } = yield* SimulatedCluster.make(size, Duration.millis(50));
    yield* Effect.sleep("500 millis");
    const before = { ...counts };
    for (let index = 0; index < users; index++) {
        const node = nodes[index % nodes.length];
        if (node !== undefined)
            yield* SimulatedCluster.join(node, `u${index}`);
        yield* Effect.sleep("2 millis");
    }
    yield* waitUntil(() => nodes.every((node) => SimulatedCluster.seen(node) === users));
    const joined = { ...counts };
    yield* Effect.sleep("10 seconds");
    return {
        perJoin: (joined.sent - before.sent) / users,
        receivedPerJoin: (joined.received - before.received) / users,
        atRest: (counts.received - joined.received) / 10 / size,
    };
}, Effect.scoped);
const program = Effect.gen(function* () {
    const [cpuTable = [], lateTable = []] = yield* natsMeasurements;
    const rooms = [["people in the room", "CPU µs a join and leave", "messages"]];
    for (const size of [10, 100, 1000]) {
        const { micros, messages: sent } = yield* measureJoins(size);
        rooms.push([String(size), micros.toFixed(0), sent.toFixed(1)]);
    }
    const nodes = [["nodes", "messages sent a join", "taken a join, all nodes", "taken a second at rest, a node"]];
    for (const size of [2, 10, 50]) {
        const { perJoin, receivedPerJoin, atRest } = yield* countMessages(size);
        nodes.push([String(size), perJoin.toFixed(2), receivedPerJoin.toFixed(1), atRest.toFixed(1)]);
    }
    const body = [
        `${subscribers} subscribers in all, ${messages} messages from NATS, one every 100 ms; the median of ${rounds} rounds.`,
        Results.markdownTable(cpuTable),
        `${listeners} sockets, ${paceMillis} messages, 50 a second.`,
        Results.markdownTable(lateTable),
        "Presence on three nodes, each join announced at once; CPU of all three nodes.",
        Results.markdownTable(rooms),
        "500 people come within a second or two; changes are gathered for 50 ms, heartbeats go every 5 s.",
        Results.markdownTable(nodes),
        "Aim: two nodes at most 1.3 of one; p99 at most 3 of the relay's; a join grows no faster than its room.",
    ].join("\n\n");
    yield* Results.writeSection("cluster", "npm run bench:cluster", body);
    yield* Console.log(body);
});
runBenchmark(Effect.provide(program, Tokens.layer({ keys: { _tag: "Secret", secret: Redacted.make(secret) } })));
