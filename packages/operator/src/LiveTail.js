/**
 * The live events of the bus and the log lines of every process, for operators who watch. A process publishes its log lines
 * only while it is asked for them: the request expires, so a reader that disappears costs nothing.
 */
import { ephemeral, event as eventAddress } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { eventRegistry, eventTypes } from "@armoricore/domain/EventRegistry";
import { NodeRpc } from "@armoricore/worker/control/NodeRpc";
import { Clock, Effect, Layer, Queue, Result, Schedule, Schema, Stream } from "effect";
import { LogControl } from "./LogControl.ts";
/** Covered by the permissions of every role, like all topics of `control`. */
const logsAddress = ephemeral("control.logs");
const LogBatch = Schema.Struct({ node: Schema.String, lines: Schema.Array(Schema.Json) });
const decodeBatch = Schema.decodeUnknownResult(Schema.fromJsonString(LogBatch));
const decodeJson = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Json));
/** Publish log lines for this many milliseconds. */
const publishLogs = { kind: "publish-logs", request: Schema.Finite, reply: Schema.Void };
const requestMillis = 20_000;
const renewInterval = "8 seconds";
const batchInterval = "200 millis";
const maxBatch = 200;
/** Waiting lines of one process or one reader; then the oldest are dropped. */
const maxWaiting = 1_000;
const encoder = new TextEncoder();
/** Publishes the log lines of this process while a reader asks for them. */
export const layerPublisher = Layer.effectDiscard(Effect.gen(function* () {
    const bus = yield* EventBus;
    const nodeRpc = yield* NodeRpc;
    const logs = yield* LogControl;
    const clock = yield* Clock.Clock;
    let until = 0;
    const lines = yield* Queue.sliding(maxWaiting);
    yield* Effect.acquireRelease(Effect.sync(() => logs.onLine((line) => {
        if (clock.currentTimeMillisUnsafe() < until)
            Queue.offerUnsafe(lines, line);
    })), (stop) => Effect.sync(stop));
    yield* nodeRpc.respond(publishLogs, (millis) => Effect.sync(() => {
        until = clock.currentTimeMillisUnsafe() + millis;
    }));
    const publishBatch = Effect.gen(function* () {
        const batch = yield* Queue.takeBetween(lines, 1, maxBatch);
        const message = { node: nodeRpc.self.node, lines: batch };
        // Live lines are not worth a retry: the log itself has them.
        yield* Effect.ignore(bus.broadcast(logsAddress, encoder.encode(JSON.stringify(message))));
    });
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(publishBatch, Effect.sleep(batchInterval))));
}));
/** Until its reader stops. */
export const watch = (filter) => {
    const { sources = ["events", "logs"], types } = filter;
    return Stream.callback((queue) => Effect.gen(function* () {
        const bus = yield* EventBus;
        const nodeRpc = yield* NodeRpc;
        const onGap = () => void Queue.offerUnsafe(queue, { _tag: "Gap" });
        if (sources.includes("events")) {
            for (const type of eventTypes.filter((each) => types === undefined || types.includes(each))) {
                yield* bus.subscribe(eventRegistry[type].stored ? eventAddress(type) : ephemeral(type), ({ body }) => {
                    // An invalid event becomes a dead letter, and its log line says so.
                    if (Result.isFailure(EventCodec.decodeResult(body)))
                        return;
                    const event = decodeJson(new TextDecoder().decode(body));
                    if (Result.isSuccess(event))
                        Queue.offerUnsafe(queue, { _tag: "Event", event: event.success });
                }, onGap);
            }
        }
        if (sources.includes("logs")) {
            yield* bus.subscribe(logsAddress, ({ body }) => {
                const batch = decodeBatch(new TextDecoder().decode(body));
                if (Result.isFailure(batch))
                    return;
                const { lines, node } = batch.success;
                for (const line of lines)
                    Queue.offerUnsafe(queue, { _tag: "Log", node, line });
            }, onGap);
            yield* nodeRpc
                .call(publishLogs, requestMillis)
                .pipe(Effect.repeat(Schedule.spaced(renewInterval)), Effect.forkScoped);
        }
    }), { bufferSize: maxWaiting, strategy: "sliding" });
};
