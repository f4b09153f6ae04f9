/**
 * What realtime does at its limits, the server in a process of its own; everything is counted:
 *
 * - joins: 1,000 sockets join 100 topics each, and ask for 5 more than a socket may have;
 * - slow readers: a room gets 10,000 messages a second while most of its members do not read; the others' delay beside
 *   the same room without the slow ones, the memory, and how the slow ones end.
 *
 * Usage: `node bench/realtime/limits.ts [sockets [paused readers]]`.
 */
import * as Tokens from "@armoricore/auth/Tokens";
import { runBenchmark } from "../cli.ts";
import { Console, Duration, Effect, Redacted } from "effect";
import * as Results from "../Results.ts";
import { secret, topic } from "./Protocol.ts";
import { connectClients, totalFrames, joinTopic, startServer, waitUntil } from "./ServerProcess.ts";
const sockets = Number(process.argv[2] ?? 1000);
const pausedReaders = Number(process.argv[3] ?? 100);
const topics = 100;
const excessJoins = 5;
const readers = 20;
const perSecond = 10_000;
const seconds = 8;
/** By then every paused reader's queue is full, and its connection not yet cut. */
const resumeAfter = Duration.seconds(5);
const mib = (bytes) => bytes / 2 ** 20;
const joins = Effect.fnUntraced(function* (server, tokens) {
    const measure = Effect.promise(() => server.request({ order: "measure" }, "measured"));
    const { clients } = yield* connectClients(server, sockets, (index) => tokens[index] ?? "");
    yield* Effect.sleep(Duration.seconds(1));
    const before = yield* measure;
    const from = performance.now();
    let refused = 0;
    const marker = Buffer.from("too many channels joined");
    for (const client of clients) {
        client.onData((chunk) => {
            for (let at = chunk.indexOf(marker); at !== -1; at = chunk.indexOf(marker, at + 1))
                refused++;
        });
    }
    const asked = topics + excessJoins;
    for (let index = 0; index < asked; index += 5) {
        for (const client of clients) {
            for (let n = index; n < index + 5; n++)
                joinTopic(client, `${n}`, `chat:room:j${n}`);
        }
        // As many answers as questions, before the next: the bench's own memory is not what is measured.
        yield* waitUntil(() => totalFrames(clients) >= sockets * Math.min(asked, index + 5));
    }
    const took = (performance.now() - from) / 1000;
    yield* Effect.sleep(Duration.seconds(2));
    const after = yield* measure;
    return {
        joins: sockets * topics,
        answers: totalFrames(clients),
        refused,
        perSecond: (sockets * asked) / took,
        cpuMicros: (after.cpuMicros - before.cpuMicros) / (sockets * asked),
        kib: (after.rss - before.rss) / 1024 / (sockets * topics),
    };
}, Effect.scoped);
const marker = Buffer.from('"t":"');
const ended = (client) => Effect.timeoutOption(waitUntil(() => client.closeCode() !== undefined), Duration.seconds(5));
/** A flood of a room with so many members who do not read. */
const flood = Effect.fnUntraced(function* (server, tokens, paused) {
    const measure = Effect.promise(() => server.request({ order: "measure" }, "measured"));
    const { clients } = yield* connectClients(server, readers + paused, (index) => tokens[index] ?? "");
    for (const client of clients)
        joinTopic(client, "1", topic);
    yield* waitUntil(() => totalFrames(clients) >= clients.length);
    const [quick, slow] = [clients.slice(0, readers), clients.slice(readers)];
    for (const client of slow)
        client.pause();
    const late = [];
    let arrivals = 0;
    for (const client of quick) {
        client.onData((chunk, frames) => {
            arrivals += frames;
            const at = chunk.lastIndexOf(marker);
            if (at !== -1 && chunk.length - at > 30) {
                const sentAt = Number(chunk.toString("latin1", at + marker.length, at + marker.length + 17));
                late.push(performance.timeOrigin + performance.now() - sentAt);
            }
        });
    }
    const before = yield* measure;
    const from = performance.now();
    let took = seconds;
    const done = server.request({ order: "flood", perSecond, seconds }, "done").then(() => {
        took = (performance.now() - from) / 1000;
    });
    let peak = 0;
    const watch = Effect.forever(Effect.andThen(Effect.sleep(Duration.millis(250)), Effect.map(measure, ({ rss }) => {
        peak = Math.max(peak, rss);
    })));
    yield* Effect.raceFirst(Effect.andThen(Effect.sleep(resumeAfter), 
    // A few at a time: what the kernel held for them is read by this process, which must not delay the others.
    Effect.forEach(slow, (client) => Effect.andThen(Effect.sync(client.resume), ended(client)), {
        concurrency: 4,
        discard: true,
    })).pipe(Effect.andThen(Effect.promise(() => done))), watch);
    yield* waitUntil(() => arrivals >= readers * perSecond * seconds || quick.some((client) => client.closeCode() !== undefined));
    late.sort((a, b) => a - b);
    return {
        arrivals,
        perSecond: (perSecond * seconds) / took,
        p50: late[Math.floor(late.length * 0.5)] ?? Number.NaN,
        p99: late[Math.floor(late.length * 0.99)] ?? Number.NaN,
        growth: mib(peak - before.rss),
        reported: slow.filter((client) => client.closeCode() === 4008).length,
        cut: slow.filter((client) => client.closeCode() === "none").length,
        left: slow.filter((client) => client.closeCode() === undefined).length,
    };
}, Effect.scoped);
const program = Effect.gen(function* () {
    const signer = yield* Tokens.Tokens;
    const tokens = yield* Effect.forEach(Array.from({ length: Math.max(sockets, readers + pausedReaders) }, (_, index) => index), (index) => signer.sign({ userId: `user-${index}`, ttl: Duration.hours(1) }));
    const fresh = (use) => Effect.scoped(Effect.flatMap(startServer("armoricore"), use));
    const many = yield* fresh((server) => joins(server, tokens));
    yield* Console.log("joins", JSON.stringify(many));
    const alone = yield* fresh((server) => flood(server, tokens, 0));
    yield* Console.log("flood, all clients read", JSON.stringify(alone));
    const beside = yield* fresh((server) => flood(server, tokens, pausedReaders));
    yield* Console.log("flood beside paused readers", JSON.stringify(beside));
    const delay = (result) => `${result.p50.toFixed(1)} / ${result.p99.toFixed(1)}`;
    const body = [
        `${many.joins} joins by ${sockets} sockets, ${topics} each, and ${sockets * excessJoins} more than a socket may have:`,
        Results.markdownTable([
            ["answers", "refused, too many channels joined", "joins/s", "CPU µs per join", "KiB per membership"],
            [`${many.answers}`, `${many.refused}`, many.perSecond.toFixed(0), many.cpuMicros.toFixed(1), many.kib.toFixed(2)],
        ]),
        `A chat room gets ${perSecond} messages a second for ${seconds} s; ${readers} members read:`,
        Results.markdownTable([
            [
                "besides them",
                "messages/s",
                "messages received",
                "p50 / p99 ms",
                "memory grew by at most, MiB",
                "ended with 4008",
                "cut",
                "left",
            ],
            ["none", alone.perSecond.toFixed(0), `${alone.arrivals}`, delay(alone), alone.growth.toFixed(0), "", "", ""],
            [
                `${pausedReaders} who do not read`,
                beside.perSecond.toFixed(0),
                `${beside.arrivals}`,
                delay(beside),
                beside.growth.toFixed(0),
                `${beside.reported}`,
                `${beside.cut}`,
                `${beside.left}`,
            ],
        ]),
        "Paused readers read again from the fifth second on; each had 1 MiB waiting at most, besides what the kernel held for it.",
    ].join("\n\n");
    yield* Results.writeSection("realtime limits", "node bench/realtime/limits.ts", body);
    yield* Console.log(body);
});
runBenchmark(Effect.provide(program, Tokens.layer({ keys: { _tag: "Secret", secret: Redacted.make(secret) } })));
