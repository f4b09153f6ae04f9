/** What a run stands on, and what can be done to it: a broker behind proxies, a cluster of three, or a data folder. */
import { layer as connection, NatsConnection } from "@armoricore/nats/NatsConnection";
import * as NatsCluster from "@armoricore/testing/NatsCluster";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as PostgresServer from "@armoricore/testing/PostgresServer";
import * as RabbitServer from "@armoricore/testing/RabbitServer";
import * as TcpProxy from "@armoricore/testing/TcpProxy";
import { Cause, Effect, Random } from "effect";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as TmpfsDisk from "./TmpfsDisk.ts";
export const brokerKinds = ["nats", "nats-cluster", "rabbitmq", "embedded"];
/** `disk`: the store is on a disk that can be filled. Fails with the reason where no such disk can be made. */
export const make = Effect.fnUntraced(function* (kind, disk) {
    const own = disk ? yield* TmpfsDisk.make : undefined;
    switch (kind) {
        case "embedded": {
            const folder = own?.path ?? (yield* temporaryDirectory);
            const faults = own === undefined ? [] : [diskFullFault(own, Effect.void)];
            return {
                direct: none,
                proxied: none,
                replicas: 1,
                folder,
                faults,
                diagnostics: Effect.succeed([]),
            };
        }
        case "nats": {
            const server = yield* NatsServer.make(own === undefined ? [] : ["-sd", own.path]);
            const proxy = yield* TcpProxy.make(server.port);
            const again = Effect.andThen(server.kill, server.restart);
            return {
                direct: { bus: server.url, state: "" },
                proxied: { bus: `nats://127.0.0.1:${proxy.port}`, state: "" },
                replicas: 1,
                folder: yield* temporaryDirectory,
                diagnostics: natsDiagnostics([server.url]),
                faults: [
                    { name: "kill -9 the broker", run: Effect.andThen(server.kill, Effect.delay(server.restart, "1 second")) },
                    ...connectionFaults([proxy]),
                    { name: "fill the stream for 2 s", run: streamFull(server.url) },
                    // NATS 2.9 stops storing for good after its disk was full: free space, then restart it.
                    ...(own === undefined ? [] : [diskFullFault(own, again)]),
                ],
            };
        }
        case "rabbitmq": {
            const rabbit = yield* RabbitServer.make({ virtualHosts: 1 });
            const postgres = yield* PostgresServer.make();
            const bus = yield* rabbit.newUrl;
            const proxies = [yield* TcpProxy.make(rabbit.port), yield* TcpProxy.make(postgres.port)];
            const restarted = ({ kill, restart }) => Effect.andThen(kill, Effect.delay(restart, "1 second"));
            return {
                direct: { bus, state: postgres.url },
                proxied: { bus: withPort(bus, proxies[0].port), state: withPort(postgres.url, proxies[1].port) },
                replicas: 1,
                folder: yield* temporaryDirectory,
                diagnostics: rabbit.describe(bus),
                faults: [
                    { name: "kill -9 the broker", run: restarted(rabbit), isRequired: true },
                    { name: "kill -9 PostgreSQL", run: restarted(postgres), isRequired: true },
                    ...connectionFaults(proxies),
                ],
            };
        }
        case "nats-cluster": {
            // Or clients would learn of the servers behind the proxies.
            const { members, urls } = yield* NatsCluster.make(["--no_advertise=true"]);
            const proxies = yield* Effect.forEach(members, ({ port }) => TcpProxy.make(port));
            return {
                direct: { bus: urls.join(","), state: "" },
                proxied: { bus: proxies.map(({ port }) => `nats://127.0.0.1:${port}`).join(","), state: "" },
                replicas: 3,
                folder: yield* temporaryDirectory,
                diagnostics: natsDiagnostics(urls),
                faults: [{ name: "kill -9 a member of the cluster", run: killMember(members) }, ...connectionFaults(proxies)],
            };
        }
    }
});
const none = { bus: "", state: "" };
const withPort = (url, port) => Object.assign(new URL(url), { port: String(port) }).href;
const temporaryDirectory = Effect.acquireRelease(Effect.sync(() => mkdtempSync(join(tmpdir(), "chaos-"))), (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 })));
const connectionFaults = (proxies) => {
    const all = (act) => Effect.forEach(proxies, act, { discard: true });
    return [
        { name: "break every connection", run: all(({ resetConnections }) => resetConnections) },
        {
            name: "swallow everything for 3 s",
            run: all(({ blackhole }) => blackhole).pipe(Effect.andThen(Effect.sleep("3 seconds")), Effect.andThen(all(({ restore }) => restore))),
        },
    ];
};
/** Two of three go on without it; it has time to catch up before the next one is lost. */
const killMember = (members) => Effect.gen(function* () {
    const member = members[yield* Random.nextIntBetween(0, members.length, { halfOpen: true })];
    if (member === undefined)
        return;
    yield* member.kill;
    yield* Effect.sleep("3 seconds");
    yield* member.restart;
    yield* Effect.sleep("5 seconds");
});
const diskFullFault = ({ fill, free }, after) => ({
    name: "fill the disk for 2 s",
    run: fill.pipe(Effect.andThen(Effect.sleep("2 seconds")), Effect.andThen(free), Effect.andThen(after)),
});
/**
 * The stream refuses everything for a while. It is filled up to a number of messages, not limited to what it held a moment
 * ago: NATS deletes the oldest messages of a stream whose limit falls below them, and before 2.10.5 also while it is near
 * its limit of bytes. Those would be lost by no fault of ours.
 */
const streamFull = (url) => Effect.gen(function* () {
    const { js, manager } = yield* (yield* NatsConnection).jetstream;
    const { config, state } = yield* Effect.promise(() => manager.streams.info("ARMORICORE"));
    const fill = async () => {
        await manager.streams.update("ARMORICORE", { ...config, max_msgs: state.messages + 2_000 });
        for (let left = 2_000; left > 0; left -= 100) {
            await Promise.allSettled(Array.from({ length: 100 }, () => js.publish(fillerSubject)));
        }
    };
    const empty = async () => {
        await manager.streams.purge("ARMORICORE", { filter: fillerSubject });
        await manager.streams.update("ARMORICORE", config);
    };
    yield* Effect.promise(fill).pipe(Effect.andThen(Effect.sleep("2 seconds")), Effect.ensuring(Effect.retry(Effect.tryPromise(empty), { times: 3 }).pipe(Effect.ignore)));
}).pipe(Effect.provide(connection({ servers: [url] })), 
// The broker may just be away; then it was not full.
Effect.ignoreCause);
/** No consumer reads it. */
const fillerSubject = "armoricore.chaos.filler";
const natsDiagnostics = (servers) => Effect.gen(function* () {
    const { manager } = yield* (yield* NatsConnection).jetstream;
    const { config, state } = yield* Effect.promise(() => manager.streams.info("ARMORICORE", { deleted_details: true }));
    const consumers = yield* Effect.promise(() => manager.consumers.list("ARMORICORE").next());
    return [
        `stream: ${state.messages} messages from ${state.first_seq} to ${state.last_seq}, ${state.bytes} of ${config.max_bytes} bytes`,
        `gone from it: ${state.deleted?.join(" ") ?? "nothing"}, lost by the server: ${JSON.stringify(state.lost ?? 0)}`,
        ...consumers.map((info) => `consumer ${info.name}: waiting ${info.num_pending}, in flight ${info.num_ack_pending}, redelivered ${info.num_redelivered}, ` +
            `pulls ${info.num_waiting}, delivered up to ${info.delivered.stream_seq}, settled up to ${info.ack_floor.stream_seq}`),
    ];
}).pipe(Effect.provide(connection({ servers: [...servers] })), Effect.catchCause((cause) => Effect.succeed([`the broker says nothing: ${Cause.pretty(cause)}`])));
