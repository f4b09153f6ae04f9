/**
 * Serves the operator API at one path: over a WebSocket, and as `POST` with a body of JSON lines and a streamed
 * response. The composition root owns the HTTP server and passes its events here.
 *
 * The token is part of the messages, not of the handshake, so a browser needs no cookie and a foreign page can do
 * nothing with the connection. Without a token every request is denied.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer";
import { ByteSize, Effect, Exit, Scope } from "effect";
import { HttpIncomingMessage } from "effect/http";
import { RpcSerialization, RpcServer } from "effect/rpc";
import { WebSocketServer } from "ws";
import { OperatorAuth } from "./OperatorAuth.ts";
import { OperatorApi } from "./OperatorApi.ts";
import { InFlightRequests } from "./InFlightRequests.ts";
import * as MalformedRequestGuard from "./MalformedRequestGuard.ts";
export const path = "/rpc";
/** The body of a dead letter is transferred in both directions. */
const maxMessageBytes = 4 * 1024 * 1024;
const ndjson = RpcSerialization.makeNdjson({ maxBufferSize: maxMessageBytes });
/**
 * Each socket message must hold whole lines. Buffering partial lines would let a client send a large line in tiny
 * pieces, each of which would cost a search of all earlier ones.
 */
const wholeLineNdjson = RpcSerialization.RpcSerialization.of({
    ...ndjson,
    makeUnsafe: () => {
        const lines = ndjson.makeUnsafe();
        return {
            ...lines,
            decode: (message) => {
                if (message.at(-1) !== (typeof message === "string" ? "\n" : lineFeed))
                    throw new IncompleteLine();
                return lines.decode(message);
            },
        };
    },
});
const lineFeed = 10;
class IncompleteLine extends Error {
    name = "IncompleteLine";
    message = "each message must end in a line feed";
}
/**
 * The two listeners; they return false for another path. Both end with the scope, which first lets unary calls in
 * flight finish.
 */
export const make = Effect.gen(function* () {
    const scope = yield* Scope.make();
    const server = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes });
    const inFlight = yield* InFlightRequests;
    // The RPC server waits for its clients, so they are disconnected first; a hanging client then does not delay the
    // shutdown.
    yield* Effect.addFinalizer(() => Effect.gen(function* () {
        yield* withDeadline(drainTimeoutMillis, inFlight.onDrained);
        yield* closeClients(server);
        const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void));
        yield* withDeadline(closeTimeoutMillis, (done) => closing.addObserver(done));
    }));
    const auth = yield* OperatorAuth;
    const serve = (protocol) => RpcServer.make(OperatorApi, { disableFatalDefects: true }).pipe(Effect.provideService(RpcServer.Protocol, MalformedRequestGuard.guardProtocol(protocol, auth)), Effect.forkIn(scope));
    const http = yield* RpcServer.makeProtocolWithHttpEffect();
    const sockets = yield* RpcServer.makeProtocolWithHttpEffectWebsocket.pipe(Effect.provideService(RpcSerialization.RpcSerialization, wholeLineNdjson));
    yield* serve(http.protocol);
    yield* serve(sockets.protocol);
    const limitedEffect = Effect.provideService(http.httpEffect, HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxMessageBytes));
    const handleHttp = yield* NodeHttpServer.makeHandler(limitedEffect, { scope });
    const upgrade = yield* NodeHttpServer.makeUpgradeHandler(Effect.succeed(server), sockets.httpEffect, { scope });
    return {
        handleRequest: (request, response) => {
            if (!isRpcPath(request))
                return false;
            if (request.method === "POST")
                handleHttp(request, response);
            else {
                response.writeHead(405, { allow: "POST", "content-type": "text/plain; charset=utf-8" });
                response.end("This is the operator API: connect a WebSocket or send a POST request. See docs/operator.md.\n");
            }
            return true;
        },
        handleUpgrade: (request, socket, head) => {
            if (!isRpcPath(request))
                return false;
            upgrade(request, socket, head);
            return true;
        },
    };
}).pipe(Effect.provideService(RpcSerialization.RpcSerialization, ndjson));
/** How long calls in flight may continue. */
const drainTimeoutMillis = 5_000;
const closeTimeoutMillis = 1_000;
const serviceRestartCode = 1012;
/** Tells the clients that the server stops, and returns once they are disconnected. */
const closeClients = (server) => withDeadline(closeTimeoutMillis, (done) => {
    const openClients = new Set(server.clients);
    if (openClients.size === 0)
        return done();
    for (const client of openClients) {
        client.once("close", () => {
            openClients.delete(client);
            if (openClients.size === 0)
                done();
        });
        client.close(serviceRestartCode);
    }
}).pipe(Effect.andThen(Effect.sync(() => {
    for (const client of server.clients)
        client.terminate();
})));
/** A finalizer may run in an interrupted fiber, in which Effect's own timeouts end at once. */
const withDeadline = (millis, wait) => Effect.callback((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis);
    wait(() => {
        clearTimeout(timer);
        resume(Effect.void);
    });
});
/** Clients that join URLs append a slash. */
const isRpcPath = ({ url = "/" }) => [path, `${path}/`].includes(url.split("?", 1)[0] ?? "/");
