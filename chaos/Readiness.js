/**
 * Whether a run works again after its last fault: the healed workers consume, and the observer receives what is published.
 * Without that nothing can be said of an event that has no result.
 */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { Effect, Option, Schedule } from "effect";
/** Generous: Node starts in half a second, but the machine may be busy, and a broker may have to elect its leaders. */
const readyTimeout = "45 seconds";
/** The media id of a probe; no event of a run has it. */
export const probeId = "probe";
const poll = (condition) => Effect.repeat(Effect.sync(condition), { until: (met) => met, schedule: Schedule.spaced("50 millis") });
/** Publishes probes until one arrives: one may be sent while the bus connects again. */
const probeObserver = Effect.fnUntraced(function* (isReceived) {
    const bus = yield* EventBus;
    const envelope = { event_id: probeId, payload: { media_id: probeId } };
    const body = new TextEncoder().encode(JSON.stringify(envelope));
    const publish = Effect.suspend(() => bus.publish({ address: event("media.playable"), id: crypto.randomUUID(), body }));
    yield* Effect.raceFirst(poll(isReceived), Effect.forever(Effect.andThen(Effect.ignore(publish), Effect.sleep("2 seconds"))));
});
/** A sentence for each part that does not work within {@link readyTimeout}. */
export const whatIsNotReady = Effect.fnUntraced(function* (workers, isProbeReceived) {
    const isReady = (worker) => worker?.isRunning() === true && worker.lines.includes("ready");
    const [started, observed] = yield* Effect.all([
        Effect.timeoutOption(poll(() => workers.every(isReady)), readyTimeout),
        Effect.timeoutOption(probeObserver(isProbeReceived), readyTimeout),
    ], { concurrency: 2 });
    return [
        ...(Option.isSome(started)
            ? []
            : workers.flatMap((worker, index) => isReady(worker)
                ? []
                : [`worker ${index + 1} did not start within ${readyTimeout}: ${worker.complaints.at(-1) ?? "no warning"}`])),
        ...(Option.isSome(observed)
            ? []
            : [`the observer of the results receives nothing ${readyTimeout} after the last fault`]),
    ];
});
