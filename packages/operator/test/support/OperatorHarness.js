/** The operators' API over ports in memory, and clients of it: in the process, and over HTTP and WebSocket. */
import { createServer } from "node:http";
import * as Revocations from "@armoricore/auth/Revocations";
import { Tokens } from "@armoricore/auth/Tokens";
import { Handlers, LogControl, NodeRequests, OperatorApi, OperatorServer, Reviews } from "@armoricore/operator";
import { RealtimeAdmin } from "@armoricore/realtime/admin/RealtimeAdmin";
import { Testing } from "@armoricore/testing";
import { listen } from "@armoricore/testing/LocalPort";
import { NodeRpc } from "@armoricore/worker/control/NodeRpc";
import * as ConsumerRegistry from "@armoricore/worker/control/ConsumerRegistry";
import * as CircuitRegistry from "@armoricore/worker/control/CircuitRegistry";
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer";
import * as NodeSocket from "@effect/platform-node/NodeSocket";
import { Context, Duration, Effect, Layer, Scope } from "effect";
import { FetchHttpClient } from "effect/http";
import { RpcClient, RpcSerialization, RpcTest } from "effect/rpc";
/** Users who were kicked and banned, and the sockets there are. */
export class RecordedActions extends Context.Service()("test/RecordedActions") {
    static layer = Layer.sync(RecordedActions, () => ({ kicked: [], banned: [] }));
}
/** The log of the process: a test writes its lines. */
export class RecordedLog extends Context.Service()("test/RecordedLog") {
}
const log = Layer.effectContext(Effect.sync(() => {
    const listeners = new Set();
    return Context.make(RecordedLog, {
        write: (line) => {
            for (const listener of listeners)
                listener(line);
        },
    }).pipe(Context.add(LogControl, {
        get: () => "info",
        set: () => { },
        onLine: (listener) => {
            listeners.add(listener);
            return () => void listeners.delete(listener);
        },
    }));
}));
const sockets = [
    {
        socketId: "s1",
        userId: "ada",
        address: "10.0.0.1",
        node: "n",
        topics: ["chat:room:tea"],
        connectedAt: "2026-01-01T00:00:00.000Z",
    },
];
const operator = Layer.effect(RealtimeAdmin, Effect.gen(function* () {
    const people = yield* RecordedActions;
    const revocations = yield* Revocations.Revocations;
    const all = (items) => ({ items, truncated: false, unresponsive: [] });
    return {
        nodes: Effect.succeed(all([{ node: "n", sockets: 1 }])),
        sockets: ({ topic, userId } = {}) => Effect.succeed(all(sockets.filter((socket) => (userId === undefined || socket.userId === userId) &&
            (topic === undefined || socket.topics.includes(topic))))),
        rooms: () => Effect.succeed(all([{ topic: "chat:room:tea", members: 1, nodes: ["n"] }])),
        kick: (target, { reason }) => Effect.sync(() => {
            people.kicked.push(`${"userId" in target ? target.userId : target.socketId}: ${reason}`);
            return { kicked: 1, unresponsive: [] };
        }),
        ban: (target) => Effect.suspend(() => {
            people.banned.push("userId" in target ? target.userId : target.tokenId);
            return revocations.revoke(target);
        }),
    };
}));
const ports = Testing.layer;
export const services = Layer.mergeAll(NodeRequests.layer(), Reviews.layerWorker, operator).pipe(Layer.provideMerge(NodeRpc.layer({ services: ["media", "realtime"], version: "test" })), Layer.provideMerge(Layer.mergeAll(CircuitRegistry.layer, ConsumerRegistry.layer, Revocations.layer, RecordedActions.layer, log)), Layer.provideMerge(ports));
/** All of it, with handlers and guard. */
export const api = Handlers.layer({ version: "test" }).pipe(Layer.provideMerge(services));
export const tokenFor = (userId, extra = {}) => Effect.flatMap(Tokens, (tokens) => Effect.orDie(tokens.sign({ userId, ttl: Duration.hours(1), ...extra })));
export const withToken = (token) => RpcClient.withHeaders({ authorization: `Bearer ${token}` });
export const inMemory = RpcTest.makeClient(OperatorApi);
/** A server on a free port; closed with the scope. With a `scope` of its own the API in it ends with that. */
export const startServer = (scope) => Effect.gen(function* () {
    const { handleRequest, handleUpgrade } = yield* scope === undefined
        ? OperatorServer.make
        : Scope.provide(OperatorServer.make, scope);
    const server = createServer((request, response) => {
        if (!handleRequest(request, response))
            response.writeHead(404).end();
    });
    server.on("upgrade", (request, socket, head) => {
        if (!handleUpgrade(request, socket, head))
            socket.destroy();
    });
    return yield* listen(server);
}).pipe(Effect.provide(NodeHttpServer.layerHttpServices));
const client = Effect.flatMap(Effect.context(), (context) => Effect.provideContext(RpcClient.make(OperatorApi), context));
export const clientOverHttp = Effect.fnUntraced(function* (port) {
    const wire = RpcClient.layerProtocolHttp({ url: `http://127.0.0.1:${port}/rpc` }).pipe(Layer.provide([FetchHttpClient.layer, RpcSerialization.layerNdjson]));
    return yield* Effect.provideContext(client, yield* Layer.build(wire));
});
export const clientOverWebSocket = Effect.fnUntraced(function* (port) {
    const wire = RpcClient.layerProtocolSocket().pipe(Layer.provide([NodeSocket.layerWebSocket(`ws://127.0.0.1:${port}/rpc`), RpcSerialization.layerNdjson]));
    return yield* Effect.provideContext(client, yield* Layer.build(wire));
});
export const overHttp = Effect.flatMap(startServer(), clientOverHttp);
export const overWebSocket = Effect.flatMap(startServer(), clientOverWebSocket);
