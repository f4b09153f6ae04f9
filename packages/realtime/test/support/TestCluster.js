/**
 * Several nodes in one process: each is a complete realtime service with its HTTP server, over one bus, state and history in
 * memory. A test can partition a node, drain it, or kill it without a `bye`.
 */
import { Tokens } from "@armoricore/auth/Tokens";
import { EventBus } from "@armoricore/bus/EventBus";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import { TransientError } from "@armoricore/domain/Errors";
import { History } from "@armoricore/history/History";
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory";
import { KeyValue } from "@armoricore/state/KeyValue";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { Context, Duration, Effect, Exit, Layer, Scope, SubscriptionRef } from "effect";
import { CallLog } from "./RoomChannel.ts";
import { listen, serviceOf, tokens } from "./TestServer.ts";
const cutOff = new TransientError({ dependency: "bus", code: "unavailable", message: "cut off" });
/** The connection between one node and the shared bus and history. */
const networkLink = Effect.gen(function* () {
    const status = yield* SubscriptionRef.make("connected");
    const gaps = new Set();
    const isCut = () => SubscriptionRef.getUnsafe(status) === "disconnected";
    const through = (effect) => Effect.suspend(() => (isCut() ? Effect.fail(cutOff) : effect));
    const deliverUnlessCut = (onMessage) => (message) => {
        if (!isCut())
            onMessage(message);
    };
    const withGap = (onGap) => Effect.acquireRelease(Effect.sync(() => onGap !== undefined && gaps.add(onGap)), () => Effect.sync(() => onGap !== undefined && gaps.delete(onGap)));
    return {
        cut: SubscriptionRef.set(status, "disconnected"),
        heal: Effect.andThen(SubscriptionRef.set(status, "connected"), Effect.sync(() => {
            for (const gap of gaps)
                gap();
        })),
        bus: (bus) => ({
            ...bus,
            publish: (message) => through(bus.publish(message)),
            broadcast: (address, body, headers) => through(bus.broadcast(address, body, headers)),
            subscribe: (address, onMessage, onGap) => Effect.andThen(withGap(onGap), bus.subscribe(address, deliverUnlessCut(onMessage))),
            status: SubscriptionRef.get(status),
            statusChanges: SubscriptionRef.changes(status),
        }),
        history: (history) => ({
            ...history,
            append: (room, id, body) => through(history.append(room, id, body)),
            read: (room, page) => through(history.read(room, page)),
            remove: (room, id) => through(history.remove(room, id)),
            get: (room, id) => through(history.get(room, id)),
            replace: (room, id, expected, body) => through(history.replace(room, id, expected, body)),
            count: (room, after, limit) => through(history.count(room, after, limit)),
            subscribe: (room, onAdded, onGap) => Effect.andThen(withGap(onGap), history.subscribe(room, deliverUnlessCut(onAdded), () => { })),
        }),
        state: (state) => ({
            ...state,
            get: (bucket, key) => through(state.get(bucket, key)),
            create: (bucket, key, value, options) => through(state.create(bucket, key, value, options)),
            update: (bucket, key, value, revision, options) => through(state.update(bucket, key, value, revision, options)),
        }),
    };
});
const ports = Layer.mergeAll(MemoryBus.layer, MemoryHistory.layer(), MemoryState.layer, tokens, CallLog.layer);
/** Short enough for a test, long enough for a busy machine. */
const fastTimings = { heartbeatInterval: Duration.millis(200), nodeTimeout: Duration.millis(1_500) };
export const make = Effect.fnUntraced(function* (options = {}) {
    const shared = yield* Layer.build(ports);
    /** Starts another node. */
    const node = Effect.fnUntraced(function* () {
        const own = yield* networkLink;
        const seen = shared.pipe(Context.add(EventBus, own.bus(Context.get(shared, EventBus))), Context.add(History, own.history(Context.get(shared, History))), Context.add(KeyValue, own.state(Context.get(shared, KeyValue))));
        const scope = yield* Effect.acquireRelease(Scope.make(), (made, exit) => Scope.close(made, exit));
        const service = Layer.fresh(serviceOf({ cluster: fastTimings, ...options })).pipe(Layer.provideMerge(Layer.succeedContext(seen)));
        const server = yield* Layer.build(service).pipe(Effect.orDie, Effect.flatMap((services) => listen(services)), Effect.provideService(Scope.Scope, scope));
        return {
            ...server,
            cut: own.cut,
            heal: own.heal,
            /** As SIGTERM does. */
            drain: Scope.close(scope, Exit.void),
            /** Without a `bye` and without a close frame on its sockets. */
            kill: Effect.andThen(own.cut, Scope.close(scope, Exit.void)),
        };
    });
    return {
        node,
        history: Context.get(shared, History),
        state: Context.get(shared, KeyValue),
        tokens: Context.get(shared, Tokens),
    };
});
