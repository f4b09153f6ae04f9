/**
 * One server under test, in a process of its own: ours, raw `ws` that encodes once, or socket.io. The bench says what to
 * do over the process's channel. All three do the same: every connected client receives every broadcast.
 */
import { createServer } from "node:http";
import * as Revocations from "@armoricore/auth/Revocations";
import * as Tokens from "@armoricore/auth/Tokens";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory";
import { Endpoint } from "@armoricore/realtime/socket/Endpoint";
import * as Realtime from "@armoricore/realtime/Realtime";
import { Topics } from "@armoricore/realtime/pubsub/Topics";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import { Context, Effect, Layer, Redacted } from "effect";
import { Server as SocketIo } from "socket.io";
import { WebSocketServer } from "ws";
import { event, payload, secret, topic } from "./Protocol.ts";
const unlimitedRate = { perSecond: 1e6, burst: 1e6 };
const limits = { maxSocketsPerAddress: 100_000, maxSocketsPerUser: 100_000, addressJoins: unlimitedRate };
const layer = Realtime.layer({ limits }).pipe(Layer.provideMerge(Revocations.layer), Layer.provideMerge(Layer.mergeAll(MemoryBus.layer, MemoryHistory.layer(), MemoryState.layer, Tokens.layer({ keys: { _tag: "Secret", secret: Redacted.make(secret) } }))));
/** Broadcasts go through the hub, as a channel's do. */
const armoricore = Effect.fnUntraced(function* (server) {
    const services = yield* Layer.build(layer);
    const { handleRequest, handleUpgrade } = Context.get(services, Endpoint);
    const topics = Context.get(services, Topics);
    server.on("upgrade", handleUpgrade);
    server.on("request", handleRequest);
    const broadcast = (message) => topics.deliver(topic, event, message);
    return broadcast;
});
const rawWs = (server) => {
    const sockets = new Set();
    const accepted = new WebSocketServer({ server, clientTracking: false, perMessageDeflate: false });
    accepted.on("connection", (socket) => {
        sockets.add(socket);
        socket.on("message", () => { });
        socket.on("close", () => sockets.delete(socket));
    });
    return (message) => {
        const frame = JSON.stringify([null, null, topic, event, message]);
        for (const socket of sockets)
            socket.send(frame);
    };
};
const socketIo = (server) => {
    const io = new SocketIo(server, { transports: ["websocket"], serveClient: false, perMessageDeflate: false });
    return (message) => void io.emit(event, message);
};
/** With `--expose-gc` the heap is what lives; without, what stands there. */
const reportUsage = () => {
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    sendReport({ report: "measured", rss, heapUsed, cpuMicros: cpuMicros() });
};
const sendReport = (report) => void process.send?.(report);
const cpuMicros = () => {
    const { user, system } = process.cpuUsage();
    return user + system;
};
/** Carries out one broadcast order; `arrived` is how far the slowest reader is. */
const handleCommands = (broadcast) => {
    let arrived = 0;
    let go = () => { };
    const saturate = ({ messages, window, batch }) => {
        const before = cpuMicros();
        arrived = 0;
        let sent = 0;
        let running = false;
        const turn = () => {
            for (let n = 0; n < batch && sent < messages && sent - arrived < window; n++)
                broadcast(payload(sent++));
            running = sent < messages && sent - arrived < window;
            if (running)
                setImmediate(turn);
        };
        go = () => {
            if (arrived >= messages)
                sendReport({ report: "done", cpuMicros: cpuMicros() - before });
            else if (!running)
                turn();
        };
        turn();
    };
    const pace = ({ messages, everyMillis }) => {
        const before = cpuMicros();
        let sent = 0;
        const timer = setInterval(() => {
            broadcast(payload(sent++));
            if (sent < messages)
                return;
            clearInterval(timer);
            setTimeout(() => sendReport({ report: "done", cpuMicros: cpuMicros() - before }), 200);
        }, everyMillis);
    };
    const flood = ({ perSecond, seconds }) => {
        const before = cpuMicros();
        const from = performance.now();
        let sent = 0;
        const timer = setInterval(() => {
            const due = Math.min(perSecond * seconds, (perSecond * (performance.now() - from)) / 1000);
            // A busy server must not send late broadcasts as one burst that exceeds every queue.
            for (let n = 0; n < 200 && sent < due; n++)
                broadcast(payload(sent++));
            if (sent < perSecond * seconds)
                return;
            clearInterval(timer);
            sendReport({ report: "done", cpuMicros: cpuMicros() - before });
        }, 5);
    };
    return (order) => {
        if (order.order === "saturate")
            saturate(order);
        else if (order.order === "pace")
            pace(order);
        else if (order.order === "flood")
            flood(order);
        else if (order.order === "measure")
            reportUsage();
        else {
            arrived = order.messages;
            go();
        }
    };
};
const program = Effect.gen(function* () {
    const kind = process.argv[2];
    const server = createServer();
    const broadcast = kind === "armoricore" ? yield* armoricore(server) : kind === "ws" ? rawWs(server) : socketIo(server);
    const order = handleCommands(broadcast);
    process.on("message", (message) => order(message));
    process.on("disconnect", () => process.exit(0));
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () => {
        const address = server.address();
        sendReport({ report: "listening", port: typeof address === "object" && address !== null ? address.port : 0 });
    });
    return yield* Effect.never;
});
NodeRuntime.runMain(Effect.scoped(program));
