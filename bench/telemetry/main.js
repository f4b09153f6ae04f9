/**
 * What telemetry costs: the worker loop with its ledger, and the fan-out of results to sockets, with telemetry on against
 * off, by turns in one process. On: traces, metrics and logs go to a collector, fibers are counted, the process looks at
 * itself, and `/metrics` is read every second. CPU is the process's own; collector and clients are in this one.
 *
 * Bus, state and history are in memory, so that nothing hides the cost. Usage:
 * `npm run bench:telemetry [-- rounds [events [broadcasts [sockets]]]]`.
 */
import { fork } from "node:child_process";
import { createServer } from "node:http";
import { join } from "node:path";
import * as Tokens from "@armoricore/auth/Tokens";
import { runBenchmark } from "../cli.ts";
import { Console, Duration, Effect, Queue, Redacted } from "effect";
import { secret } from "../realtime/Protocol.ts";
import { connectClients, totalFrames, joinTopic, serverFlags, waitUntil, } from "../realtime/ServerProcess.ts";
import * as Results from "../Results.ts";
const [rounds = 15, events = 4_000, broadcasts = 400, sockets = 200] = process.argv.slice(2).map(Number);
/** Takes everything, and counts it. */
const collector = Effect.acquireRelease(Effect.callback((resume) => {
    let count = 0;
    const server = createServer((request, response) => {
        count++;
        request.resume();
        request.on("end", () => response.end("{}"));
    });
    server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        const port = typeof address === "object" && address !== null ? address.port : 0;
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, requests: () => count, close: () => server.close() }));
    });
}), ({ close }) => Effect.sync(close));
/** Sockets that watch the one media. */
const connectAudience = Effect.fnUntraced(function* (port, token) {
    const server = {
        kind: "armoricore",
        port,
        send: () => { },
        request: () => Promise.reject(new Error("not asked")),
    };
    const { clients } = yield* connectClients(server, sockets, () => token);
    for (const client of clients)
        joinTopic(client, "1", "media:m1");
    yield* waitUntil(() => totalFrames(clients) >= sockets);
    return clients;
});
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const row = (name, unit, found) => {
    const ratios = found.map(({ off, on }) => on / off);
    const percent = (ratio) => `${((ratio - 1) * 100).toFixed(1)} %`;
    return [
        name,
        `${median(found.map(({ off }) => off)).toFixed(1)} ${unit}`,
        `${median(found.map(({ on }) => on)).toFixed(1)} ${unit}`,
        percent(median(ratios)),
    ];
};
const program = Effect.gen(function* () {
    const { requests, url } = yield* collector;
    const inbox = yield* Queue.unbounded();
    const child = yield* Effect.acquireRelease(Effect.sync(() => fork(join(import.meta.dirname, "subject.ts"), [url, String(events), String(broadcasts), String(rounds)], {
        execArgv: serverFlags,
    })), (running) => Effect.callback((resume) => {
        running.on("exit", () => resume(Effect.void));
        running.disconnect();
    }));
    child.on("message", (message) => void Queue.offerUnsafe(inbox, message));
    // A subject that dies takes the bench with it, instead of being waited for.
    child.on("exit", (code) => {
        if (code !== null && code !== 0)
            process.exit(1);
    });
    const tell = (reported) => Effect.sync(() => void child.send({ reported }));
    const listening = yield* Queue.take(inbox);
    if (listening.said !== "listening")
        return yield* Effect.die(new Error("the subject does not listen"));
    const token = yield* Effect.flatMap(Tokens.Tokens, (tokens) => tokens.sign({ userId: "u", roles: [], ttl: Duration.hours(1) })).pipe(Effect.provide(Tokens.layer({ keys: { _tag: "Secret", secret: Redacted.make(secret) } })));
    const clients = { on: yield* connectAudience(listening.on, token), off: yield* connectAudience(listening.off, token) };
    const received = { on: totalFrames(clients.on), off: totalFrames(clients.off) };
    yield* tell("begin");
    const worker = [];
    const fanOut = [];
    for (;;) {
        const message = yield* Queue.take(inbox);
        if (message.said === "ended")
            break;
        if (message.said === "sent") {
            received[message.which] += message.broadcasts * sockets;
            yield* waitUntil(() => totalFrames(clients[message.which]) >= received[message.which]);
            yield* tell("arrived");
        }
        if (message.said === "round") {
            worker.push(message.worker);
            fanOut.push(message.fanOut);
        }
    }
    const table = Results.markdownTable([
        ["case", "off", "on", "more CPU"],
        row("an event through the worker loop, with its result", "µs", worker),
        row(`a result from the bus to ${sockets} sockets`, "µs", fanOut),
    ]);
    yield* Console.log(table);
    yield* Results.writeSection("telemetry", "npm run bench:telemetry", `CPU of the process, the median of ${rounds} rounds of ${events} events and ${broadcasts} broadcasts, on and off by turns; the collector got ${requests()} requests. More CPU is the median of the rounds' ratios.\n\n${table}\n\nAim: at most 5 %.`);
});
runBenchmark(program);
