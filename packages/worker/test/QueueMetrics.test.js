import { TransientError } from "@armoricore/domain/Errors";
import { on, Worker } from "@armoricore/worker";
import * as QueueMetrics from "@armoricore/worker/QueueMetrics";
import * as ConsumerRegistry from "@armoricore/worker/control/ConsumerRegistry";
import { assert, describe, it } from "@effect/vitest";
import { Deferred, Effect, Layer, Metric } from "effect";
import { advanceClock, ports, publish, flushFibers, uploadedEvent } from "./support/WorkerFixtures.ts";
const layer = QueueMetrics.layer.pipe(Layer.provideMerge(ConsumerRegistry.layer), Layer.merge(ports));
describe("QueueMetrics", () => {
    it.effect("reports the depth and the age of each consumer's queue", () => Effect.gen(function* () {
        const gate = yield* Deferred.make();
        const handle = () => Effect.as(Deferred.await(gate), []);
        yield* Worker.run("media", [on("media.uploaded", { handle, onFailure: () => [] })]);
        const of = (metric) => Effect.map(Metric.value(Metric.withAttributes(metric, { service: "media", consumer: "media-media-uploaded" })), ({ value }) => value);
        for (const id of ["1", "2", "3"]) {
            yield* publish(uploadedEvent({ event_id: `0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5${id}` }));
        }
        yield* flushFibers;
        yield* advanceClock("40 seconds");
        assert.deepStrictEqual([yield* of(QueueMetrics.oldestAge), yield* of(QueueMetrics.pending), yield* of(QueueMetrics.inFlight)], [40, 2, 1]);
        assert.strictEqual(yield* of(QueueMetrics.running), 1);
        yield* Deferred.succeed(gate, undefined);
        yield* advanceClock("10 seconds");
        assert.deepStrictEqual([yield* of(QueueMetrics.oldestAge), yield* of(QueueMetrics.pending)], [0, 0]);
    }).pipe(Effect.provide(layer)));
    it.effect("counts messages that are held back neither as pending nor as running", () => Effect.gen(function* () {
        const paused = new TransientError({
            dependency: "fcm",
            code: "provider_paused",
            message: "paused",
            countsAsAttempt: false,
            retryAfterMillis: 60_000,
        });
        yield* Worker.run("held", [on("media.uploaded", { handle: () => Effect.fail(paused), onFailure: () => [] })]);
        yield* publish(uploadedEvent());
        yield* flushFibers;
        yield* advanceClock("20 seconds");
        const of = (metric) => Effect.map(Metric.value(Metric.withAttributes(metric, { service: "held", consumer: "held-media-uploaded" })), ({ value }) => value);
        assert.deepStrictEqual([yield* of(QueueMetrics.pending), yield* of(QueueMetrics.running), yield* of(QueueMetrics.inFlight)], [0, 0, 1]);
    }).pipe(Effect.provide(layer)));
});
