/** A real HTTP server on a free port with the realtime service over in-memory adapters, and a raw client. */
import { once } from "node:events";
import { createServer } from "node:http";
import * as TokensModule from "@armoricore/auth/Tokens";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory";
import { ChannelRegistry } from "@armoricore/realtime/channel/ChannelRegistry";
import { Endpoint } from "@armoricore/realtime/socket/Endpoint";
import * as RealtimeWorker from "@armoricore/realtime/pubsub/RealtimeWorker";
import * as Realtime from "@armoricore/realtime/Realtime";
import * as Revocations from "@armoricore/auth/Revocations";
import { Topics } from "@armoricore/realtime/pubsub/Topics";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { Ledger } from "@armoricore/worker/ledger/Ledger";
import { layerOwnProcess } from "@armoricore/worker/Worker";
import { Context, Duration, Effect, Layer, Redacted } from "effect";
import { WebSocket } from "ws";
import * as BrowserPage from "./BrowserPage.ts";
import { CallLog, layer as roomLayer } from "./RoomChannel.ts";
const { Tokens } = TokensModule;
const secret = Redacted.make("a-test-secret-that-is-long-enough-for-hs256");
/** The service with the test channel. */
export const serviceOf = (options) => Layer.merge(roomLayer, RealtimeWorker.layer.pipe(Layer.provide([Ledger.layer, layerOwnProcess]))).pipe(Layer.provideMerge(Realtime.layer(withTestLimits(options))), Layer.provideMerge(Revocations.layer));
export const tokens = TokensModule.layer({ keys: { _tag: "Secret", secret } });
const layerOf = (options, history) => serviceOf(options).pipe(Layer.provideMerge(Layer.mergeAll(MemoryBus.layer, history, MemoryState.layer, tokens, CallLog.layer)));
/** For tests that are not about rates. */
const unlimited = { perSecond: 1e6, burst: 1e6 };
const unlimitedRates = { userMessages: unlimited, userJoins: unlimited, addressJoins: unlimited };
/** Runs until the scope closes. `port` 0 means a free port. */
export const start = Effect.fnUntraced(function* (options = {}, port = 0, history = MemoryHistory.layer()) {
    const services = yield* Layer.build(layerOf(options, history)).pipe(Effect.orDie);
    return yield* listen(services, port);
});
const withTestLimits = (options) => ({
    ...options,
    limits: { drainDuration: Duration.millis(50), ...unlimitedRates, ...options.limits },
});
/** Starts an HTTP server for these services. */
export const listen = Effect.fnUntraced(function* (services, port = 0) {
    const endpoint = Context.get(services, Endpoint);
    const server = createServer((request, response) => {
        if (!endpoint.handleRequest(request, response) && !BrowserPage.answer(request, response))
            response.writeHead(404).end();
    });
    server.on("upgrade", (request, socket, head) => {
        if (!endpoint.handleUpgrade(request, socket, head))
            socket.destroy();
    });
    server.listen(port, "127.0.0.1");
    yield* Effect.promise(() => once(server, "listening"));
    // Does not close upgraded connections; the endpoint closes them later.
    yield* Effect.addFinalizer(() => Effect.sync(() => server.close()));
    const address = server.address();
    const bound = typeof address === "object" && address !== null ? address.port : 0;
    const tokens = Context.get(services, Tokens);
    return {
        port: bound,
        url: `ws://127.0.0.1:${bound}/socket`,
        endpoint,
        services,
        topics: Context.get(services, Topics),
        channels: Context.get(services, ChannelRegistry),
        callLog: Context.get(services, CallLog),
        revocations: Context.get(services, Revocations.Revocations),
        token: (userId, extra) => Effect.orDie(tokens.sign({ userId, ttl: Duration.hours(1), ...extra })),
    };
});
const idle = () => { };
/** A raw connection that queues received messages until the test reads them. */
export class RawClient {
    ws;
    received = [];
    closed;
    /** Wakes the waiting read, once: a second call would give it the message of the next read. */
    #wake = idle;
    constructor(ws) {
        this.ws = ws;
        ws.on("message", (data, isBinary) => {
            const bytes = Buffer.isBuffer(data) ? data : Buffer.alloc(0);
            this.received.push(isBinary ? bytes : bytes.toString());
            this.#wake();
        });
        ws.on("close", (code, reason) => {
            this.closed = { code, reason: reason.toString() };
            this.#wake();
        });
        ws.on("error", () => this.#wake());
    }
    send(...frame) {
        this.ws.send(JSON.stringify(frame));
    }
    /** The next message of any kind. */
    raw = Effect.callback((resume) => {
        const look = () => {
            this.#wake = idle;
            const message = this.received.shift();
            if (message !== undefined)
                resume(Effect.succeed(message));
            else if (this.closed !== undefined)
                resume(Effect.die(new Error(`closed with ${this.closed.code}`)));
            else
                this.#wake = look;
        };
        look();
    });
    /** The next text message, parsed. */
    next = Effect.map(this.raw, (message) => JSON.parse(message.toString()));
    close = Effect.callback((resume) => {
        const look = () => {
            this.#wake = idle;
            if (this.closed !== undefined)
                resume(Effect.succeed(this.closed));
            else
                this.#wake = look;
        };
        look();
    });
    /** Checks that no other message was sent: the reply to a heartbeat is the next message. */
    get nothing() {
        this.send(null, "probe", "phoenix", "heartbeat", {});
        return Effect.flatMap(this.next, (frame) => frame[1] === "probe"
            ? Effect.void
            : Effect.die(new Error(`expected no message, received ${JSON.stringify(frame)}`)));
    }
}
/** Fails with the HTTP status of a rejected upgrade. */
export const connect = Effect.fnUntraced(function* (server, options = {}) {
    const token = options.token ?? (yield* server.token(options.user ?? "u1"));
    const query = options.query ?? `vsn=2.0.0&token=${token}`;
    const ws = new WebSocket(`${server.url}/websocket?${query}`, [...(options.protocols ?? [])], {
        headers: { ...options.headers },
    });
    yield* Effect.addFinalizer(() => Effect.sync(() => ws.terminate()));
    const client = new RawClient(ws);
    yield* Effect.callback((resume) => {
        ws.once("open", () => resume(Effect.void));
        ws.once("unexpected-response", (_, response) => resume(Effect.fail(response.statusCode ?? 0)));
        ws.once("error", () => resume(Effect.fail(0)));
    });
    return client;
});
/** A client that joined with the ref `1` and consumed the reply. */
export const joined = Effect.fnUntraced(function* (server, topic, options) {
    const client = yield* connect(server, options);
    client.send("1", "1", topic, "phx_join", {});
    yield* client.next;
    return client;
});
