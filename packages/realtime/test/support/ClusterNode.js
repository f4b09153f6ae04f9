/**
 * One realtime node as a process, for tests and the benchmark: bus, state and history over NATS, and an HTTP server on a free
 * port, which it reports to its parent process. SIGTERM drains it.
 */
import * as Revocations from "@armoricore/auth/Revocations";
import * as Tokens from "@armoricore/auth/Tokens";
import * as NatsBus from "@armoricore/bus/nats/NatsBus";
import * as NatsConnection from "@armoricore/nats/NatsConnection";
import { History } from "@armoricore/history/History";
import * as NatsHistory from "@armoricore/history/nats/NatsHistory";
import { Endpoint } from "@armoricore/realtime/socket/Endpoint";
import * as Realtime from "@armoricore/realtime/Realtime";
import * as NatsState from "@armoricore/state/nats/NatsState";
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import { Context, Duration, Effect, Layer, Redacted } from "effect";
import { createServer } from "node:http";
const plenty = { perSecond: 1e6, burst: 1e6 };
const program = Effect.gen(function* () {
    // `NodeProcess.start` writes it.
    const options = JSON.parse(process.argv[2] ?? "{}");
    const nats = NatsConnection.layer({ servers: [options.nats] });
    const ports = Layer.mergeAll(NatsBus.layer(), NatsState.layer(), NatsHistory.layer(), Tokens.layer({ keys: { _tag: "Secret", secret: Redacted.make(options.secret) } })).pipe(Layer.provide(nats));
    const layer = Realtime.layer({
        limits: {
            drainDuration: Duration.millis(300),
            userMessages: plenty,
            userJoins: plenty,
            addressJoins: plenty,
            maxSocketsPerAddress: 100_000,
            maxSocketsPerUser: 100_000,
        },
        cluster: {
            heartbeatInterval: Duration.millis(options.heartbeatMillis),
            nodeTimeout: Duration.millis(options.nodeTimeoutMillis),
        },
    }).pipe(Layer.provide(Revocations.layer), Layer.provideMerge(ports));
    const services = yield* Layer.build(layer);
    yield* Context.get(services, History).setup;
    const { handleUpgrade, handleRequest } = Context.get(services, Endpoint);
    const server = createServer((request, response) => {
        if (!handleRequest(request, response))
            response.writeHead(404).end();
    });
    server.on("upgrade", (request, socket, head) => {
        if (!handleUpgrade(request, socket, head))
            socket.destroy();
    });
    server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        process.send?.({ port: typeof address === "object" && address !== null ? address.port : 0 });
    });
    process.on("message", (request) => {
        if (request !== "cpu")
            return;
        const { user, system } = process.cpuUsage();
        process.send?.({ cpuMicros: user + system });
    });
    process.on("disconnect", () => process.exit(0));
    yield* Effect.addFinalizer(() => Effect.sync(() => server.close()));
    return yield* Effect.never;
});
NodeRuntime.runMain(Effect.scoped(program));
