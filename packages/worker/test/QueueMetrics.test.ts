import { on, Worker } from "@armoricore/worker"
import * as QueueMetrics from "@armoricore/worker/QueueMetrics"
import * as ConsumerRegistry from "@armoricore/worker/control/ConsumerRegistry"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Metric } from "effect"
import { advanceClock, ports, publish, flushFibers, uploadedEvent } from "./support/WorkerFixtures.ts"

describe("QueueMetrics", () => {
  it.effect("reports the depth and the age of each consumer's queue", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const handle = () => Effect.as(Deferred.await(gate), [])
      yield* Worker.run("media", [on("media.uploaded", { handle, onFailure: () => [] })])
      const of = (metric: Metric.Gauge<number>) =>
        Effect.map(
          Metric.value(Metric.withAttributes(metric, { service: "media", consumer: "media-media-uploaded" })),
          ({ value }) => value,
        )
      for (const id of ["1", "2", "3"]) {
        yield* publish(uploadedEvent({ event_id: `0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5${id}` }))
      }
      yield* flushFibers
      yield* advanceClock("40 seconds")
      assert.deepStrictEqual(
        [yield* of(QueueMetrics.oldestAge), yield* of(QueueMetrics.pending), yield* of(QueueMetrics.inFlight)],
        [40, 2, 1],
      )
      yield* Deferred.succeed(gate, undefined)
      yield* advanceClock("10 seconds")
      assert.deepStrictEqual([yield* of(QueueMetrics.oldestAge), yield* of(QueueMetrics.pending)], [0, 0])
    }).pipe(Effect.provide(QueueMetrics.layer.pipe(Layer.provideMerge(ConsumerRegistry.layer), Layer.merge(ports)))),
  )
})
