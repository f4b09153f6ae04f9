/**
 * The circuits of this process (notification providers and dependencies of handlers), and the operators' pauses. Without
 * the Layer, circuits are not listed and cannot be paused.
 *
 * A pause is stored until an operator resumes the circuit, so it survives restarts and applies to processes that start
 * later. An ephemeral message makes the other processes reload; they also reload after a gap on the bus.
 */
import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as Collection from "@armoricore/state/Collection";
import { Clock, Context, Effect, Layer, Option, Queue, Schedule, Schema } from "effect";
/** An operator has suspended calls through a circuit. */
export const Pause = Schema.Struct({
    name: Schema.String,
    /** The operator. */
    by: Schema.String,
    reason: Schema.String,
    /** Epoch milliseconds. */
    since: Schema.Finite,
});
/**
 * A reference and not a service, because everything with a circuit would then require the registry: a speech engine, a
 * notification provider or the object storage on its own, without an operator, has no use for one. Without the layer, circuits open and
 * close as usual; an operator does not see them and cannot pause them.
 */
export const CircuitRegistry = Context.Reference("@armoricore/worker/CircuitRegistry", {
    defaultValue: () => ({
        register: () => Effect.void,
        circuits: () => [],
        pauseOf: () => undefined,
        pauses: () => [],
        pause: () => Effect.void,
        resume: () => Effect.succeed(false),
    }),
});
export const pauses = {
    bucket: { name: "pauses", maxAge: "never" },
    schema: Pause,
};
/** Reload interval, also while the bus is unavailable. */
const refreshInterval = "30 seconds";
const pageSize = 1_000;
const address = Address.ephemeral("pauses");
export const layer = Layer.effect(CircuitRegistry, Effect.gen(function* () {
    const bus = yield* EventBus;
    const stored = yield* Collection.make(pauses);
    const circuits = new Set();
    let paused = new Map();
    const load = Effect.map(stored.list({ limit: pageSize }), (documents) => {
        paused = new Map(documents.map(({ value }) => [value.name, value]));
    });
    const changes = yield* Effect.acquireRelease(Queue.sliding(1), Queue.shutdown);
    const changed = () => void Queue.offerUnsafe(changes, true);
    yield* bus.subscribe(address, changed, changed);
    // The subscription comes before the first load, so that no pause is missed. The bucket may not exist yet.
    changed();
    const next = Effect.timeoutOption(Queue.take(changes), refreshInterval);
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(next, load.pipe(Effect.tapError((error) => Effect.logDebug(`Pauses could not be read: ${error.message}`)), Effect.retry({ times: 5, schedule: Schedule.exponential("100 millis") }), Effect.catch((error) => Effect.logWarning(`Pauses could not be read; the last known ones stay in effect: ${error.message}`))))));
    const notifyPeers = Effect.ignore(bus.broadcast(address, new Uint8Array()));
    return {
        register: (circuit) => Effect.asVoid(Effect.acquireRelease(Effect.sync(() => void circuits.add(circuit)), () => Effect.sync(() => void circuits.delete(circuit)))),
        circuits: () => [...circuits],
        pauseOf: (name) => paused.get(name),
        pauses: () => [...paused.values()],
        pause: Effect.fnUntraced(function* (request) {
            const pause = { ...request, since: yield* Clock.currentTimeMillis };
            yield* stored.put(pause.name, pause);
            paused = new Map(paused).set(pause.name, pause);
            yield* notifyPeers;
        }),
        resume: Effect.fnUntraced(function* (name) {
            const previous = yield* stored.get(name);
            yield* stored.remove(name);
            const remaining = new Map(paused);
            remaining.delete(name);
            paused = remaining;
            yield* notifyPeers;
            return Option.isSome(previous);
        }),
    };
}));
