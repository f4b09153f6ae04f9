/**
 * Membership of the nodes that share a bus, and messages and requests between them. A group of nodes uses two addresses of
 * the bus's ephemeral channel: `<group>.all` reaches every node, `<group>.to.<node>` one. Nodes are equal: each publishes
 * `hello` at its start, a heartbeat at a fixed interval, and `bye` at its end. A node without heartbeats for `nodeTimeout` is
 * lost. Nothing is stored; a node that restarts has a new name.
 *
 * Delivery is at most once, and in order per sender. A component that needs more puts a version into the heartbeat
 * (`onHeartbeat`), so that its counterpart on another node notices a lost message.
 */
import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { Clock, Deferred, Duration, Effect, Option, Schedule, Schema, Stream } from "effect";
import * as MonotonicClock from "../MonotonicClock.ts";
import { fragment, Reassembler } from "./MessageFragments.ts";
import { PeerTable } from "./PeerTable.ts";
/** As a recipient: all other nodes. */
export const allNodes = "*";
/** A value that this node adds to its heartbeats, and the handler of the other nodes' values. */
export const heartbeatField = (schema, value, onValue) => {
    const decode = Schema.decodeUnknownOption(schema);
    return {
        value,
        receive: (from, encoded) => {
            const decoded = decode(encoded);
            if (Option.isSome(decoded))
                onValue(from, decoded.value);
        },
    };
};
const defaultRequestTimeout = Duration.seconds(2);
/** Kinds of the protocol's own messages. */
const kinds = { hello: "hello", heartbeat: "beat", bye: "bye", down: "down", reply: "reply" };
const Envelope = Schema.fromJsonString(Schema.Struct({
    from: Schema.String,
    kind: Schema.String,
    /** Of a request, and of its reply. */
    id: Schema.optionalKey(Schema.String),
    value: Schema.optionalKey(Schema.Unknown),
}));
const decodeEnvelope = Schema.decodeUnknownOption(Envelope);
const Heartbeat = Schema.Record(Schema.String, Schema.Unknown);
const addressOf = (group, to) => Address.ephemeral(to === allNodes ? `${group}.all` : `${group}.to.${to}`);
/** Reports on behalf of `node` that its process ended, so that the others need not wait for its timeout. */
export const announceDown = Effect.fn("ClusterMembership.announceDown")(function* (group, node) {
    const bus = yield* EventBus;
    yield* bus.broadcast(addressOf(group, allNodes), Buffer.from(JSON.stringify({ from: node, kind: kinds.down })));
});
/** Runs until the scope closes. Its start publishes `hello`, its end `bye`. */
export const make = Effect.fnUntraced(function* (options) {
    const { group, node } = options;
    const bus = yield* EventBus;
    const clock = yield* Clock.Clock;
    const now = () => MonotonicClock.millis(clock);
    const heartbeatInterval = options.heartbeatInterval ?? Duration.seconds(5);
    const peers = new PeerTable(Duration.toMillis(heartbeatInterval), Duration.toMillis(options.nodeTimeout ?? Duration.seconds(15)), now());
    const requests = new PendingRequests();
    // Replies are sent from synchronous bus callbacks; a publish ends soon and needs no supervision.
    const fork = Effect.runForkWith(yield* Effect.context());
    const handlers = new Map();
    const heartbeatFields = new Map(Object.entries(options.heartbeatFields ?? {}));
    const nodeListeners = new Set();
    const reconnectListeners = new Set();
    const disconnectListeners = new Set();
    const reassembler = new Reassembler();
    let isConnected = (yield* bus.status) === "connected";
    let messageCount = 0;
    const notify = (change, peer) => {
        if (change !== "joined")
            requests.abandon(peer);
        for (const listener of nodeListeners)
            listener(change, peer);
    };
    const send = (to, kind, value, id) => Effect.suspend(() => {
        if (!isConnected)
            return Effect.void;
        const text = JSON.stringify({ from: node, kind, ...(id === undefined ? {} : { id }), value });
        const address = addressOf(group, to);
        const fragments = fragment(`${node}.${++messageCount}`, text);
        return Effect.forEach(fragments, (body) => bus.broadcast(address, body), { discard: true });
    }).pipe(Effect.catch((error) => Effect.logDebug(`could not send ${kind} to other nodes`, error)));
    const receive = ({ body }) => {
        const text = reassembler.add(body);
        const message = text === undefined ? Option.none() : decodeEnvelope(text);
        if (Option.isNone(message))
            return;
        const { from, kind, id, value } = message.value;
        if (from === node)
            return peers.recordEcho(now());
        if (peers.hasDeparted(from))
            return;
        if (!peers.has(from) && (kind === kinds.bye || kind === kinds.down))
            return void peers.depart(from, now());
        if (peers.recordMessage(from, now()))
            notify("joined", from);
        if (kind === kinds.reply)
            return id === undefined ? undefined : requests.receiveReply(id, from, value);
        handlers.get(kind)?.(from, value, (reply) => {
            if (id !== undefined)
                fork(send(from, kinds.reply, reply, id));
        });
    };
    const on = (kind, schema, onMessage) => {
        const decode = Schema.decodeUnknownOption(schema);
        const handler = (from, value, reply) => Option.match(decode(value), {
            // During a rolling update, nodes of two versions ignore each other's unknown messages.
            onNone: () => void fork(Effect.logDebug(`ignored ${kind} of node ${from}: unknown format`)),
            onSome: (decoded) => onMessage({ from, value: decoded, reply }),
        });
        return register(handlers, kind, handler);
    };
    const heartbeat = () => Object.fromEntries(Array.from(heartbeatFields, ([name, { value }]) => [name, value()]));
    const receiveHeartbeat = (from, values) => {
        for (const [name, value] of Object.entries(values))
            heartbeatFields.get(name)?.receive(from, value);
    };
    const depart = (change, peer) => {
        if (peers.depart(peer, now()))
            notify(change, peer);
    };
    const sendHello = Effect.suspend(() => send(allNodes, kinds.hello, heartbeat()));
    const removeSilentPeers = Effect.sync(() => {
        const { isPartitioned, silent } = peers.sweep(now());
        for (const peer of silent)
            notify(isPartitioned ? "partitioned" : "lost", peer);
    });
    yield* on(kinds.hello, Heartbeat, ({ from, value }) => {
        receiveHeartbeat(from, value);
        fork(send(from, kinds.heartbeat, heartbeat()));
    });
    yield* on(kinds.heartbeat, Heartbeat, ({ from, value }) => receiveHeartbeat(from, value));
    yield* on(kinds.bye, Schema.Unknown, ({ from }) => depart("left", from));
    yield* on(kinds.down, Schema.Unknown, ({ from }) => depart("lost", from));
    yield* bus.subscribe(addressOf(group, node), receive);
    // The gap callback: the bus was disconnected, or this node read too slowly.
    yield* bus.subscribe(addressOf(group, allNodes), receive, () => {
        isConnected = true;
        for (const listener of reconnectListeners)
            listener();
        fork(sendHello);
    });
    yield* Effect.forkScoped(Stream.runForEach(bus.statusChanges, (status) => Effect.sync(() => {
        const wasConnected = isConnected;
        isConnected = status === "connected";
        if (wasConnected && !isConnected)
            for (const listener of disconnectListeners)
                listener();
    })));
    yield* Effect.forkScoped(Effect.suspend(() => send(allNodes, kinds.heartbeat, heartbeat())).pipe(Effect.andThen(removeSilentPeers), Effect.schedule(Schedule.spaced(heartbeatInterval))));
    // The membership is built before its users and closed after them: their last messages precede `bye`.
    yield* Effect.addFinalizer(() => send(allNodes, kinds.bye, null));
    yield* sendHello;
    const gather = (nodes, kind, value, schema, timeout) => Effect.suspend(() => {
        const [recipient] = nodes;
        if (recipient === undefined)
            return Effect.succeed({ replies: [], unresponsive: [] });
        const id = `${node}.${++messageCount}`;
        const { done, result } = requests.open(id, nodes, schema);
        return send(nodes.length === 1 ? recipient : allNodes, kind, value, id).pipe(Effect.andThen(Effect.timeoutOption(Deferred.await(done), timeout)), Effect.ensuring(Effect.sync(() => requests.close(id))), Effect.map(result));
    });
    return {
        node,
        otherNodes: () => peers.nodes(),
        isConnected: () => isConnected,
        send: (to, kind, value) => send(to, kind, value),
        on,
        request: (peer, kind, value, schema, timeout = defaultRequestTimeout) => Effect.map(gather([peer], kind, value, schema, timeout), ({ replies }) => replies[0]?.value),
        requestAll: (kind, value, schema, { nodes = peers.nodes(), timeout = defaultRequestTimeout } = {}) => gather(nodes, kind, value, schema, timeout),
        onHeartbeat: (name, schema, value, onValue) => register(heartbeatFields, name, heartbeatField(schema, value, onValue)),
        onNodeChange: (listener) => addListener(nodeListeners, listener),
        onReconnect: (listener) => addListener(reconnectListeners, listener),
        onDisconnect: (listener) => addListener(disconnectListeners, listener),
    };
});
const register = (registry, name, entry) => Effect.acquireRelease(Effect.sync(() => void registry.set(name, entry)), () => Effect.sync(() => void registry.delete(name)));
const addListener = (listeners, listener) => Effect.asVoid(Effect.acquireRelease(Effect.sync(() => listeners.add(listener)), () => Effect.sync(() => listeners.delete(listener))));
/** Requests of this node that wait for replies. */
class PendingRequests {
    #pending = new Map();
    open(id, nodes, schema) {
        const decode = Schema.decodeUnknownOption(schema);
        const waiting = new Set(nodes);
        const replies = [];
        const gone = [];
        const done = Deferred.makeUnsafe();
        const settle = (node, record) => {
            if (!waiting.delete(node))
                return;
            record();
            if (waiting.size === 0)
                Deferred.doneUnsafe(done, Effect.void);
        };
        this.#pending.set(id, {
            onReply: (node, value) => {
                const decoded = decode(value);
                if (Option.isSome(decoded))
                    settle(node, () => replies.push({ node, value: decoded.value }));
            },
            onNodeGone: (node) => settle(node, () => gone.push(node)),
        });
        return { done, result: () => ({ replies, unresponsive: [...gone, ...waiting] }) };
    }
    receiveReply(id, node, value) {
        this.#pending.get(id)?.onReply(node, value);
    }
    /** The node is gone: no request waits for its reply any longer. */
    abandon(node) {
        for (const { onNodeGone } of this.#pending.values())
            onNodeGone(node);
    }
    close(id) {
        this.#pending.delete(id);
    }
}
