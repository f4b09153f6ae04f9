import { tokenRevoked, Revocations } from "@armoricore/auth/Revocations";
import { Tokens } from "@armoricore/auth/Tokens";
import { Clock, Context, Deferred, Duration, Effect, FiberSet, Layer, Schedule } from "effect";
import { WebSocketServer } from "ws";
import { Cluster } from "../cluster/Cluster.ts";
import * as PollRelay from "../cluster/PollRelay.ts";
import * as ClusterRateLimits from "../cluster/ClusterRateLimits.ts";
import { ChannelRegistry } from "../channel/ChannelRegistry.ts";
import * as MonotonicClock from "@armoricore/worker/MonotonicClock";
import * as Handshake from "./Handshake.ts";
import { defaults } from "./Limits.ts";
import * as LongPoll from "./LongPoll.ts";
import { Flusher } from "./SocketWriter.ts";
import { UsageLimits } from "./UsageLimits.ts";
import * as CloseCode from "../protocol/CloseCode.ts";
import * as RealtimeMetrics from "../RealtimeMetrics.ts";
import { Socket } from "./Socket.ts";
import { Topics } from "../pubsub/Topics.ts";
import { LongPollTransport } from "./transports/LongPollTransport.ts";
import { ClientWebSocket, WebSocketTransport } from "./transports/WebSocketTransport.ts";
export class Endpoint extends Context.Service()("@armoricore/realtime/Endpoint") {
    static layer = (options = {}) => Layer.effect(Endpoint, make(options));
}
/** The pause between two batches of sockets that a drain closes. */
const drainBatchInterval = Duration.millis(50);
/** The least time between two warnings about an address with too many sockets, in milliseconds. */
const warnInterval = 60_000;
const make = Effect.fnUntraced(function* (options) {
    const state = yield* makeState(options);
    const { context, flusher, sockets, usage } = state;
    yield* ClusterRateLimits.run(usage, context.limits);
    const longPoll = yield* makeLongPoll(state);
    const record = RealtimeMetrics.recorder();
    const sweep = Effect.suspend(() => {
        const now = MonotonicClock.millis(context.clock);
        const idleMillis = Duration.toMillis(context.limits.idleTimeout);
        for (const socket of sockets)
            socket.sweep(now, idleMillis);
        usage.sweep(now);
        return record({
            open: sockets.size,
            joins: context.counts.joins,
            topics: context.topics.counts,
            outbound: flusher.counts,
        });
    });
    yield* Effect.forkScoped(Effect.repeat(sweep, Schedule.spaced(context.limits.sweepInterval)));
    yield* Effect.acquireRelease(Effect.sync(() => context.revocations.onChange(() => {
        for (const socket of sockets)
            socket.checkRevocations();
    })), (unsubscribe) => Effect.sync(unsubscribe));
    yield* Effect.addFinalizer(() => drain(state));
    return Endpoint.of({
        handleUpgrade: makeUpgradeHandler(state),
        handleRequest: (request, response) => {
            const path = Handshake.pathOf(request);
            if (path === `${state.path}/longpoll`)
                longPoll.handle(request, response);
            else if (path === `${state.path}/websocket`)
                Handshake.respondUpgradeRequired(response);
            else
                return false;
            return true;
        },
        size: () => sockets.size,
        sockets: () => [...sockets],
    });
});
const makeState = Effect.fnUntraced(function* (options) {
    const fibers = yield* FiberSet.make();
    const fork = yield* FiberSet.runtime(fibers)();
    const limits = { ...defaults, ...options.limits };
    const context = {
        counts: { joins: 0 },
        channels: yield* ChannelRegistry,
        topics: yield* Topics,
        tokens: yield* Tokens,
        revocations: yield* Revocations,
        clock: yield* Clock.Clock,
        limits,
        run: Effect.runForkWith(yield* Effect.context()),
        onClosed: (socket) => void fork(Effect.ensuring(socket.drain, removeSocket(state, socket))),
    };
    const state = {
        path: options.path ?? "/socket",
        rules: {
            allowedOrigins: options.allowedOrigins ?? "same",
            trustedProxies: options.trustedProxies ?? [],
        },
        context,
        usage: new UsageLimits(limits),
        flusher: new Flusher(),
        sockets: new Set(),
        fibers,
        fork,
        allClosed: yield* Deferred.make(),
        isDraining: false,
        warnedAt: Number.NEGATIVE_INFINITY,
    };
    return state;
});
const removeSocket = (state, socket) => Effect.suspend(() => {
    state.sockets.delete(socket);
    state.usage.release(socket.lease);
    const isLast = state.isDraining && state.sockets.size === 0;
    return isLast ? Effect.asVoid(Deferred.succeed(state.allClosed, undefined)) : Effect.void;
});
/** Verifies the token and acquires a connection lease. Calls `done` once. */
const admit = (state, request, token, done) => {
    const { revocations, tokens } = state.context;
    const address = Handshake.addressOf(request, state.rules.trustedProxies);
    state.fork(Effect.matchCause(tokens.verify(token), {
        onFailure: (cause) => done(rejectionOf(cause.reasons.find((reason) => reason._tag === "Fail")?.error)),
        onSuccess: (identity) => {
            if (state.isDraining)
                return done(Handshake.draining);
            if (revocations.isRevoked(identity))
                return done(rejectionOf(tokenRevoked));
            const lease = state.usage.acquire(identity.userId, address);
            if (lease === "address")
                warnOfTooManySockets(state, address);
            done(typeof lease === "string" ? Handshake.tooManyConnections(lease) : { identity, lease });
        },
    }));
};
const rejectionOf = (error) => error?._tag === "Unauthorized" ? Handshake.unauthorized(error.message) : Handshake.unavailable;
/**
 * A proxy that is missing in TRUSTED_PROXIES looks like one client with very many sockets, so its operator is warned.
 */
const warnOfTooManySockets = (state, address) => {
    const now = MonotonicClock.millis(state.context.clock);
    if (now - state.warnedAt < warnInterval)
        return;
    state.warnedAt = now;
    state.fork(Effect.annotateLogs(Effect.logWarning("an address reached its limit of sockets; if it is a proxy, add it to TRUSTED_PROXIES, otherwise consider REALTIME_MAX_ADDRESS_SOCKETS"), { address, sockets: state.context.limits.maxSocketsPerAddress }));
};
const openSocket = (state, transport, { identity, lease }, serializer) => {
    const socket = new Socket(state.context, transport, identity, serializer, lease);
    state.sockets.add(socket);
    socket.open();
};
const makeUpgradeHandler = (state) => {
    const { limits } = state.context;
    // A variable of its own, because the types of `ws` do not include `closeTimeout` yet.
    const serverOptions = {
        noServer: true,
        WebSocket: ClientWebSocket,
        clientTracking: false,
        perMessageDeflate: false,
        maxPayload: limits.maxFrameBytes,
        closeTimeout: Duration.toMillis(limits.closeTimeout),
        handleProtocols: (offered) => offered.has(Handshake.subprotocol) && Handshake.subprotocol,
    };
    const server = new WebSocketServer(serverOptions);
    const stallMillis = Duration.toMillis(limits.stallTimeout);
    const upgrade = (request, wire, head, client, serializer) => {
        let isOpened = false;
        server.handleUpgrade(request, wire, head, (ws) => {
            isOpened = true;
            const transport = new WebSocketTransport(ws, wire, state.flusher, limits.maxQueuedBytes, stallMillis);
            openSocket(state, transport, client, serializer);
        });
        // `ws` calls back synchronously, or it rejected an invalid request itself.
        if (!isOpened)
            state.usage.release(client.lease);
    };
    return (request, wire, head) => {
        if (Handshake.pathOf(request) !== `${state.path}/websocket`)
            return false;
        // Until `ws` takes over, no other listener exists, and Node would throw a connection reset.
        const ignore = () => { };
        wire.on("error", ignore);
        const handshake = state.isDraining ? Handshake.draining : Handshake.readUpgrade(request, state.rules);
        if ("status" in handshake) {
            Handshake.reject(wire, handshake);
            return true;
        }
        admit(state, request, handshake.token, (result) => {
            if ("status" in result)
                return Handshake.reject(wire, result);
            wire.off("error", ignore);
            upgrade(request, wire, head, result, handshake.serializer);
        });
        return true;
    };
};
const makeLongPoll = Effect.fnUntraced(function* (state) {
    const { clock, limits } = state.context;
    const now = () => MonotonicClock.millis(clock);
    const relay = yield* PollRelay.make({
        find: (token) => longPoll.find(token),
        now,
        pollWindow: limits.pollWindow,
    });
    const longPoll = LongPoll.make({
        node: relay.node,
        remoteSession: relay.session,
        maxBodyBytes: limits.maxFrameBytes,
        now,
        rules: state.rules,
        makeTransport: (onGone) => new LongPollTransport({
            maxQueuedBytes: limits.maxQueuedBytes,
            counts: state.flusher.counts,
            pollWindow: Duration.toMillis(limits.pollWindow),
            pollTimeout: Duration.toMillis(limits.pollTimeout),
            now: now(),
            onGone,
        }),
        open: (request, handshake, makeTransport, done) => {
            if (state.isDraining)
                return done(Handshake.draining);
            admit(state, request, handshake.token, (result) => {
                if ("status" in result)
                    return done(result);
                openSocket(state, makeTransport(), result, handshake.serializer);
                done(undefined);
            });
        },
    });
    return longPoll;
});
/** Closes all sockets in batches over `drainDuration`, then waits until their clients and memberships are done. */
const drain = Effect.fnUntraced(function* (state) {
    const { limits } = state.context;
    state.isDraining = true;
    const open = [...state.sockets];
    const batches = Math.floor(Duration.toMillis(limits.drainDuration) / Duration.toMillis(drainBatchInterval));
    const batchSize = Math.max(1, Math.ceil(open.length / Math.max(1, batches)));
    for (let index = 0; index < open.length; index += batchSize) {
        if (index > 0)
            yield* Effect.sleep(drainBatchInterval);
        for (const socket of open.slice(index, index + batchSize))
            socket.close(CloseCode.restart);
    }
    const allClosed = state.sockets.size === 0 ? Effect.void : Deferred.await(state.allClosed);
    yield* Effect.timeoutOption(Effect.andThen(allClosed, FiberSet.awaitEmpty(state.fibers)), Duration.sum(limits.closeTimeout, Duration.seconds(1)));
});
