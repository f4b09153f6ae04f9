/** What a notification with one push costs: writes of the state, and messages that the bus delivers and a worker decodes. */
import { EventBus, type Lane } from "@armoricore/bus/EventBus"
import { KeyValue, withoutBatches } from "@armoricore/state/KeyValue"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { eventually } from "@armoricore/testing/Eventually"
import { Ledger } from "@armoricore/worker/ledger/Ledger"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { createHmac } from "node:crypto"
import { PreferenceRules } from "../../src/preferences/PreferenceRules.ts"
import { type Provider, ProviderRegistry } from "../../src/provider/Provider.ts"
import * as NotificationPlan from "../../src/request/NotificationPlan.ts"
import { DeliveryIdKey, deliveryIdOf } from "../../src/request/Target.ts"
import { UnreadBadge } from "../../src/request/UnreadBadge.ts"
import { Templates } from "../../src/request/Templates.ts"
import { ports, publish, recordEvents, requestEvent, service } from "../support/NotifyHarness.ts"

interface Cost {
  readonly writes: Record<string, number>
  decodes: number
}

const countingLane = (lane: Lane, cost: Cost): Lane => ({
  ...lane,
  take: (delivery, message) => {
    if (!lane.take(delivery, message)) return false
    cost.decodes++
    return true
  },
})

const counting = Effect.gen(function* () {
  const cost: Cost = { writes: {}, decodes: 0 }
  const state = yield* KeyValue
  const bus = yield* EventBus
  const count = (name: string) => {
    cost.writes[name] = (cost.writes[name] ?? 0) + 1
  }
  const context = Context.make(
    KeyValue,
    KeyValue.of({
      ...withoutBatches(state),
      put: (bucket, ...args) => Effect.suspend(() => (count(bucket.name), state.put(bucket, ...args))),
      create: (bucket, ...args) => Effect.suspend(() => (count(bucket.name), state.create(bucket, ...args))),
      update: (bucket, ...args) => Effect.suspend(() => (count(bucket.name), state.update(bucket, ...args))),
    }),
  ).pipe(
    Context.add(
      EventBus,
      EventBus.of({
        ...bus,
        consume: (options, handle) =>
          bus.consume(
            { ...options, ...(options.lane === undefined ? {} : { lane: countingLane(options.lane, cost) }) },
            (delivery) =>
              Effect.suspend(() => {
                cost.decodes++
                return handle(delivery)
              }),
          ),
      }),
    ),
  )
  return { context, cost }
})

const pushes = 500

const costOf = Effect.fnUntraced(function* (latency: Duration.Duration) {
  const provider: Provider = {
    name: "fake-push",
    channels: ["fcm"],
    reports: false,
    send: () =>
      Duration.isZero(latency)
        ? Effect.succeed({ providerId: "p" })
        : Effect.as(Effect.sleep(latency), { providerId: "p" }),
  }
  const events = yield* recordEvents
  const { context, cost } = yield* counting
  const register = Layer.effectDiscard(Effect.flatMap(ProviderRegistry, (registry) => registry.register(provider)))
  yield* Effect.provideContext(
    Layer.build(Layer.fresh(service(register)).pipe(Layer.provideMerge(Layer.fresh(Ledger.layer)))),
    context,
  )
  for (let index = 0; index < pushes; index++)
    yield* publish(requestEvent({ recipients: [{ fcm_token: `good-token-${index}` }] }))
  yield* eventually(Effect.as(TestClock.adjust("80 millis"), events), ({ length }) => length >= pushes)
  assert.deepStrictEqual([...new Set(events.map(({ event_type }) => event_type))], ["notification.sent"])
  return cost
})

// regression: a lone push wrote 4 state documents and 3.4 ledger records, and 1.71 messages were decoded for it.
describe("a notification with one push", () => {
  for (const millis of [0, 80]) {
    it.effect(
      `costs two writes of its document, one of the ledger and one decode if its provider answers after ${millis} ms`,
      () =>
        Effect.gen(function* () {
          const { decodes, writes } = yield* costOf(Duration.millis(millis))
          // Once for each start of the service.
          const { erasing_services: starts, ...forPushes } = writes
          assert.strictEqual(starts, 1)
          assert.deepStrictEqual(forPushes, { notification: 2 * pushes, ledger: pushes })
          assert.strictEqual(decodes, pushes)
        }).pipe(Effect.provide(Layer.fresh(ports))),
    )
  }
})

describe("the plan of a push in the lane", () => {
  const requests: ReadonlyArray<readonly [name: string, payload: object, isPlanned: boolean]> = [
    ["all fields", { data: { a: 1 }, category: "news", actor: "ann", expires_at: "2030-01-01T00:00:00Z" }, true],
    ["options of push", { push: { sound: false, badge: 0 } }, true],
    ["a badge that is counted", { push: { badge: "unread" } }, false],
    ["a topic", { recipients: [{ fcm_topic: "news" }] }, true],
    ["options in data", { data: { push: { badge: 3 }, more: "x" } }, true],
    ["line breaks in the title", { title: "a\nb " }, true],
    ["an empty text", { body: "" }, true],
    ["an app", { recipients: [{ apns_token: "ab".repeat(32), app: "driver" }] }, true],
    ["an invalid token", { recipients: [{ apns_token: "no" }] }, false],
    ["a collapse key", { collapse_key: "k" }, false],
    ["an idempotency key", { idempotency_key: "k" }, false],
    ["another type", { notification_type: "email", recipients: [{ email: "a@example.org" }] }, false],
    ["two recipients", { recipients: [{ fcm_token: "good-token-1" }, { fcm_token: "good-token-2" }] }, false],
    ["a template", { template: "welcome" }, false],
    ["a later time", { send_at: "2030-01-01T00:00:00Z" }, false],
  ]

  it.effect("is that of any other notification, or none", () =>
    Effect.gen(function* () {
      const idKey = Redacted.make("x".repeat(80))
      const now = yield* Clock.currentTimeMillis
      for (const [name, payload, isPlanned] of requests) {
        const body = new TextEncoder().encode(
          JSON.stringify(requestEvent({ recipients: [{ fcm_token: "good-token" }], ...payload })),
        )
        const { event } = yield* EventCodec.decode(body)
        assert(event.event_type === "notification.requested")
        const planned = NotificationPlan.lonePushOf(event, body.byteLength, now, idKey)
        const usual = yield* NotificationPlan.make(event, body.byteLength).pipe(
          Effect.provideService(DeliveryIdKey, idKey),
        )
        assert.deepStrictEqual(planned, isPlanned ? usual : undefined, name)
      }
    }).pipe(
      Effect.provide([
        Templates.layer(),
        UserDevices.layer,
        UnreadBadge.layer,
        PreferenceRules.layer.pipe(Layer.provideMerge(UserPreferences.layer)),
      ]),
      Effect.provide(Layer.fresh(ports)),
    ),
  )

  it("names a delivery by the HMAC of its target, with keys of any length", () => {
    for (const key of ["k", "x".repeat(64), "y".repeat(200)]) {
      const mac = createHmac("sha256", key).update("delivery:n.fcm:token").digest("hex")
      assert.strictEqual(
        deliveryIdOf(Redacted.make(key), "n", { channel: "fcm", token: "token" }),
        `n.fcm.${mac.slice(0, 32)}`,
      )
    }
  })
})
