/** `start --realtime-workers`: several processes, one port, one room. */
import { childPids } from "@armoricore/testing/Processes";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { WebSocket } from "ws";
import { merge } from "../../src/workers/MergedMetrics.ts";
import { request, retryUntil } from "../support/ApiClient.ts";
import { start, tokenFor } from "../support/ProgramFixture.ts";
import * as ProgramProcess from "../support/ProgramProcess.ts";
const room = "chat:room:r";
/** Joins the room and records every message after that. */
const enter = (url, token, joining = {}) => Effect.acquireRelease(Effect.callback((resume) => {
    const ws = new WebSocket(`${url.replace("http", "ws")}/socket/websocket?vsn=2.0.0&token=${token}`);
    const received = [];
    ws.on("open", () => ws.send(JSON.stringify(["1", "1", room, "phx_join", joining])));
    ws.on("message", (data) => {
        received.push(String(data));
        resume(Effect.succeed({ ws, received }));
    });
}), ({ ws }) => Effect.sync(() => ws.terminate()));
const socketsOf = (metrics) => [...metrics.matchAll(/^armoricore_realtime_sockets\{process="(worker-\d+)"\} (\d+)$/gm)].map(([, worker, count]) => [
    worker ?? "",
    Number(count),
]);
describe("--realtime-workers on the embedded default", () => {
    it.live("distributes sockets over processes, delivers messages between them, replaces a dead process, and drains", () => Effect.gen(function* () {
        const env = { ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory, LOG_LEVEL: "error" };
        const { program, url } = yield* start(env, "--realtime-workers", "2");
        const metrics = Effect.map(request(`${url}/metrics`), ({ json }) => socketsOf(String(json)));
        const token = yield* tokenFor(env, "--user", "alice");
        const people = yield* Effect.forEach([1, 2, 3, 4], () => enter(url, token));
        const counts = yield* retryUntil(metrics, (found) => found.reduce((sum, [, count]) => sum + Number(count), 0) === 4);
        assert.deepStrictEqual(counts.map(([, count]) => count), [2, 2]);
        people[0]?.ws.send(JSON.stringify(["1", "2", room, "new_message", { content: "hello" }]));
        const received = () => people.filter(({ received: all }) => all.some((frame) => frame.includes('"new_message"')));
        yield* retryUntil(Effect.sync(() => received().length), (count) => count === 4);
        const [victim] = childPids(program.child.pid ?? 0);
        process.kill(victim ?? 0, "SIGKILL");
        const after = yield* retryUntil(metrics, (found) => found.some(([worker]) => worker === "worker-3"));
        assert.strictEqual(after.length, 2);
        assert.strictEqual((yield* request(`${url}/readyz`)).status, 200);
        yield* program.signal("SIGTERM");
        assert.strictEqual((yield* Effect.timeout(program.exited, "20 seconds")).code, 0);
    }).pipe(Effect.provide(NodeServices.layer)), 120_000);
    it.live("the users of a killed worker are removed at once, not after the node timeout", () => Effect.gen(function* () {
        const env = { ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory, LOG_LEVEL: "none" };
        const { program, url } = yield* start(env, "--realtime-workers", "2");
        const names = ["alice", "bob"];
        const people = yield* Effect.forEach(names, (name) => Effect.flatMap(tokenFor(env, "--user", name), (token) => enter(url, token, { presence: true })));
        const stream = "comments:stream:s";
        for (const { ws } of people)
            ws.send(JSON.stringify(["2", "2", stream, "phx_join", {}]));
        const viewers = () => people.map(({ received }) => received.findLast((frame) => frame.includes('"viewer_count"')));
        yield* retryUntil(Effect.sync(() => viewers().filter((frame) => frame?.includes('"count":2') === true).length), (count) => count === 2);
        yield* retryUntil(Effect.sync(() => people.map(({ received }) => received.join(" "))), (all) => all.every((received) => names.every((name) => received.includes(`"${name}":{"metas"`))));
        const [victim] = childPids(program.child.pid ?? 0);
        process.kill(victim ?? 0, "SIGKILL");
        const killedAt = performance.now();
        const left = yield* retryUntil(Effect.sync(() => people.find(({ ws }) => ws.readyState === WebSocket.OPEN)), (found) => found !== undefined && people.some(({ ws }) => ws.readyState !== WebSocket.OPEN));
        const isGone = () => left?.received.some((frame) => frame.includes('"leaves":{"')) === true &&
            left.received.findLast((frame) => frame.includes('"viewer_count"'))?.includes('"count":1') === true;
        yield* retryUntil(Effect.sync(isGone), (gone) => gone);
        // Without an announcement the other nodes detect a dead node only after 15 s.
        assert.isBelow(performance.now() - killedAt, 8_000);
    }).pipe(Effect.provide(NodeServices.layer)), 120_000);
    it.live("is an error without realtime, and outside 1 to 256", () => Effect.gen(function* () {
        const env = {
            ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
            MESSAGE_BUS_URL: "nats://127.0.0.1:1",
        };
        const without = yield* ProgramProcess.run(["start", "--services", "media", "--realtime-workers", "2"], env);
        assert.deepStrictEqual([without.code, /add it to --services/.test(without.stderr)], [1, true]);
        assert.strictEqual((yield* ProgramProcess.run(["start", "--realtime-workers", "0"], env)).code, 2);
    }));
    it("shows the metrics of all processes on one page", () => {
        const page = (value) => `# HELP sockets open\n# TYPE sockets gauge\nsockets ${value}\n\n# HELP jobs done\n# TYPE jobs counter\njobs{type="a"} ${value}\n`;
        assert.strictEqual(merge([
            { process: "main", text: page(1) },
            { process: "worker-1", text: page(2) },
        ]), `# HELP sockets open
# TYPE sockets gauge
sockets{process="main"} 1
sockets{process="worker-1"} 2

# HELP jobs done
# TYPE jobs counter
jobs{process="main",type="a"} 1
jobs{process="worker-1",type="a"} 2
`);
    });
});
