/**
 * A worker dies at each point around the provider's call, and another worker continues on the same bus and state. The
 * death is simulated: the worker's scope closes during a hanging call, or a state write interrupts its fiber. In both
 * cases the worker publishes no result.
 */
import { expectNothingFor } from "@armoricore/testing/Eventually"
import type { Message, Provider } from "../../src/provider/Provider.ts"
import { UnknownOutcome } from "../../src/provider/Provider.ts"
import * as Metrics from "../../src/NotifyMetrics.ts"
import { type Bucket, KeyValue, withoutBatches } from "@armoricore/state/KeyValue"
import { Ledger } from "@armoricore/worker/ledger/Ledger"
import { layerOwnProcess, WorkerTimeouts } from "@armoricore/worker/Worker"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Layer, Metric, Scope } from "effect"
import { ProviderRegistry } from "../../src/provider/Provider.ts"
import { DeliveryPolicy } from "../../src/delivery/DeliveryPolicy.ts"
import {
  deliveryState,
  awaitFinal,
  awaitEvent,
  recordEvents,
  policy,
  ports,
  publishRequest,
  service,
} from "../support/NotifyHarness.ts"

type Point = "before the call" | "during the call" | "after the call"

/** A provider that records its messages and hangs at the point where the first worker dies. */
const provider = Effect.gen(function* () {
  const reached = yield* Deferred.make<void>()
  const accepted: Array<Message> = []
  let first = true
  const route = (channel: "fcm" | "email", point: Point): Provider => ({
    name: channel === "fcm" ? "fake-push" : "fake-mail",
    channels: [channel],
    reports: false,
    send: (message) =>
      Effect.suspend(() => {
        if (!first) return Effect.sync(() => (accepted.push(message), { providerId: "p" }))
        first = false
        const hang = Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
        if (point === "before the call") return hang
        accepted.push(message)
        return hang
      }),
  })
  return { reached, accepted, route }
})

const register = (route: Provider) =>
  Layer.effectDiscard(Effect.flatMap(ProviderRegistry, (routes) => routes.register(route)))

/**
 * The first write of `sent` interrupts its worker: the provider has accepted the message, but the state does not show
 * it.
 */
const fatalState = (bucket: string, reached: Deferred.Deferred<void>) => {
  let first = true
  const isFatal = (where: Bucket, value: string) => {
    if (!first || where.name !== bucket || !value.includes(bucket === "ledger" ? "notification.sent" : '"sent"'))
      return false
    first = false
    return true
  }
  const die = Effect.andThen(Deferred.succeed(reached, undefined), Effect.interrupt)
  return Layer.effect(
    KeyValue,
    Effect.map(KeyValue, (state) => ({
      ...withoutBatches(state),
      create: (where: Bucket, key: string, value: string) =>
        isFatal(where, value) ? die : state.create(where, key, value),
      update: (where: Bucket, key: string, value: string, ...more: [number]) =>
        isFatal(where, value) ? die : state.update(where, key, value, ...more),
    })),
  )
}

const short = Layer.mergeAll(
  layerOwnProcess,
  Layer.succeed(WorkerTimeouts, {
    leaseDuration: Duration.seconds(1),
    drainTimeout: Duration.millis(10),
    misconfigurationDelay: Duration.seconds(1),
  }),
)

const worker = Effect.fnUntraced(function* (route: Provider, change: Partial<typeof DeliveryPolicy.Service> = {}) {
  const scope = yield* Scope.make()
  const layer = service(register(route)).pipe(Layer.provide(policy({ callTimeout: Duration.millis(500), ...change })))
  yield* Layer.buildWithScope(Layer.fresh(layer), scope).pipe(Effect.provide(short))
  return scope
})

const run = Effect.fnUntraced(function* (
  channel: "fcm" | "email",
  point: Point,
  change: Partial<typeof DeliveryPolicy.Service> = {},
) {
  const events = yield* recordEvents
  const { reached, route, accepted } = yield* provider
  const dying = yield* worker(route(channel, point), change)
  const id = yield* channel === "fcm"
    ? publishRequest({ recipients: [{ fcm_token: "good-token" }] })
    : publishRequest({ notification_type: "email", recipients: [{ email: "anna@example.org" }] })
  yield* Deferred.await(reached)
  yield* Scope.close(dying, Exit.void)
  const next = yield* worker(route(channel, point), change)
  const state = yield* awaitFinal(id)
  const finalEvent = yield* awaitEvent(events, state?.status === "sent" ? "notification.sent" : "notification.failed")
  const finalIds = () =>
    new Set(
      events
        .filter(({ event_type }) => event_type === "notification.sent" || event_type === "notification.failed")
        .map(({ event_id }) => event_id),
    )
  yield* expectNothingFor("100 millis", () => finalIds().size > 1)
  yield* Scope.close(next, Exit.void)
  assert.strictEqual(finalIds().size, 1)
  return { accepted, finalEvent, state }
})

describe("when a worker dies", () => {
  for (const point of ["before the call", "during the call"] as const) {
    it.live(`${point}, a push is sent again with the same ids`, () =>
      Effect.gen(function* () {
        const { state, accepted } = yield* run("fcm", point)
        assert.strictEqual(state?.status, "sent")
        assert.lengthOf(accepted, point === "during the call" ? 2 : 1)
        assert.strictEqual(new Set(accepted.map(({ uuid }) => uuid)).size, 1)
      }).pipe(Effect.provide(ports)),
    )

    it.live(`${point}, an e-mail in strict mode ends as unknown and is never sent twice`, () =>
      Effect.gen(function* () {
        const { state, accepted, finalEvent } = yield* run("email", point)
        assert.strictEqual(state?.deliveries[0]?.summary?.status, "unknown")
        assert.deepNestedInclude(finalEvent.payload, { "error.code": "outcome_unknown" })
        assert.isAtMost(accepted.length, 1)
      }).pipe(Effect.provide(ports)),
    )

    it.live(`${point}, an e-mail without strict mode is sent again for the same delivery`, () =>
      Effect.gen(function* () {
        const { state, accepted } = yield* run("email", point, { resendUnknownMail: true })
        assert.strictEqual(state?.status, "sent")
        assert.strictEqual(new Set(accepted.map(({ deliveryId }) => deliveryId)).size, 1)
      }).pipe(Effect.provide(ports)),
    )
  }

  for (const [bucket, mails] of [
    ["delivery", 1],
    ["notification", 1],
    ["ledger", 1],
  ] as const) {
    it.live(
      `after the call and before the write of the ${bucket}, an e-mail is not sent twice`,
      () =>
        Effect.gen(function* () {
          const events = yield* recordEvents
          const reached = yield* Deferred.make<void>()
          const accepted: Array<Message> = []
          const route: Provider = {
            name: "fake-mail",
            channels: ["email"],
            reports: false,
            send: (message) => Effect.sync(() => (accepted.push(message), { providerId: "p" })),
          }
          const state = yield* Layer.build(
            Layer.fresh(Ledger.layer).pipe(Layer.provideMerge(fatalState(bucket, reached))),
          )
          const dying = yield* Effect.provideContext(worker(route), state)
          const id = yield* publishRequest({ notification_type: "email", recipients: [{ email: "anna@example.org" }] })
          yield* Deferred.await(reached)
          // The hanging write cannot be interrupted. As after a kill, the first worker publishes no more results.
          yield* Effect.forkDetach(Scope.close(dying, Exit.void))
          yield* worker(route)
          const final = yield* awaitFinal(id)
          yield* awaitEvent(events, final?.status === "sent" ? "notification.sent" : "notification.failed", 40)
          assert.lengthOf(accepted, mails)
          const known = yield* deliveryState(final?.deliveries[0]?.delivery_id ?? "")
          assert.strictEqual(known?.status, bucket === "delivery" ? "unknown" : "sent")
        }).pipe(Effect.provide(ports)),
      60_000,
    )
  }

  it.live("every unknown outcome is counted", () =>
    Effect.gen(function* () {
      const counter = Metric.withAttributes(Metrics.unknownOutcomes, { channel: "email" })
      const before = (yield* Metric.value(counter)).count
      const route: Provider = {
        name: "fake-mail",
        channels: ["email"],
        reports: false,
        send: () => Effect.fail(new UnknownOutcome({ message: "gone" })),
      }
      const scope = yield* worker(route)
      yield* awaitFinal(
        yield* publishRequest({ notification_type: "email", recipients: [{ email: "anna@example.org" }] }),
      )
      assert.strictEqual((yield* Metric.value(counter)).count, before + 1)
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(ports)),
  )
})
