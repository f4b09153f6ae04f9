/**
 * A worker dies before each of its writes in turn, and another continues on the same bus and state: the published
 * events are the same as without a crash. The death interrupts every further write and publication of the first worker.
 * Virtual time.
 */
import { EventBus, withoutBatches as withoutBusBatches } from "@armoricore/bus/EventBus"
import { PermanentError, TransientError } from "@armoricore/domain/Errors"
import { KeyValue, withoutBatches } from "@armoricore/state/KeyValue"
import { eventually } from "@armoricore/testing/Eventually"
import { Audiences } from "@armoricore/state/Audiences"
import { UserDevices } from "@armoricore/state/UserDevices"
import { RetryPolicy } from "@armoricore/worker/RetryPolicy"
import { ScheduledWorkInterval } from "@armoricore/worker/ScheduledWork"
import { Ledger } from "@armoricore/worker/ledger/Ledger"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Exit, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { deferredCode } from "../../src/provider/ProviderCircuit.ts"
import { DeliveryReports } from "../../src/delivery/DeliveryReports.ts"
import { InvalidTarget, type Provider, ProviderRegistry, UnknownOutcome } from "../../src/provider/Provider.ts"
import type { CompiledWorkflow } from "../../src/workflow/WorkflowFiles.ts"
import { WorkflowRegistry } from "../../src/workflow/Workflows.ts"
import {
  notificationState,
  policy,
  ports,
  publish,
  recordEvents,
  requestEvent,
  service,
} from "../support/NotifyHarness.ts"

const eventId = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"

const push: Provider = {
  name: "fake-push",
  channels: ["fcm"],
  reports: false,
  send: ({ target }) => {
    const token = "token" in target ? target.token : ""
    if (token.startsWith("dead")) return Effect.fail(new InvalidTarget({ reason: "unregistered", message: "gone" }))
    if (token.startsWith("refused")) return Effect.fail(new PermanentError({ code: "refused", message: "no" }))
    return Effect.succeed({ providerId: "p" })
  },
}

const mail = (send: Provider["send"]): Provider => ({ name: "fake-mail", channels: ["email"], reports: true, send })

/** Counts the writes after `arm`, and is dead from the `fatal`th on. */
const mortal = Effect.fnUntraced(function* (fatal: number) {
  const died = yield* Deferred.make<void>()
  const life = { isArmed: false, writes: 0, isDead: false }
  const state = yield* KeyValue
  const bus = yield* EventBus
  const beforeWrite = <A, E>(write: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      if (life.isArmed && ++life.writes === fatal) {
        life.isDead = true
        Deferred.doneUnsafe(died, Effect.void)
      }
      return life.isDead ? Effect.interrupt : write
    })
  const context = Context.make(
    KeyValue,
    KeyValue.of({
      ...withoutBatches(state),
      put: (...args) => beforeWrite(state.put(...args)),
      create: (...args) => beforeWrite(state.create(...args)),
      update: (...args) => beforeWrite(state.update(...args)),
      remove: (...args) => beforeWrite(state.remove(...args)),
    }),
  ).pipe(
    Context.add(
      EventBus,
      EventBus.of({ ...withoutBusBatches(bus), publish: (message) => beforeWrite(bus.publish(message)) }),
    ),
  )
  return { context, died, life }
})

const startWorker = Effect.fnUntraced(function* (provider: Provider, context: Context.Context<KeyValue | EventBus>) {
  const scope = yield* Scope.make()
  const register = Layer.effectDiscard(Effect.flatMap(ProviderRegistry, (registry) => registry.register(provider)))
  const layer = Layer.fresh(service(register, { rules })).pipe(
    Layer.provide(policy({ resendUnknownMail: provider.name === "deferring-mail" })),
    Layer.provideMerge(Layer.fresh(Ledger.layer)),
  )
  const built = yield* Effect.provideContext(Layer.buildWithScope(layer, scope), context)
  return { scope, reports: Context.get(built, DeliveryReports) }
})

const workflows: ReadonlyMap<string, CompiledWorkflow> = new Map([
  [
    "two-pushes",
    {
      name: "two-pushes",
      instructions: [
        { op: "digest", millis: 10_000 },
        { op: "send", name: "first", type: "push" },
        { op: "delay", millis: 30_000 },
        { op: "jump_unless", condition: { sent: "first" }, to: 6 },
        { op: "send", name: "second", type: "push" },
        { op: "await", name: "second", outcome: "sent", millis: 30_000, to: 6 },
      ],
    },
  ],
])

/** Virtual minutes pass, so nothing may happen every few milliseconds. */
const rules = Layer.mergeAll(
  Layer.succeed(WorkflowRegistry, workflows),
  Layer.succeed(RetryPolicy, { maxAttempts: 5, base: Duration.seconds(1), cap: Duration.seconds(5) }),
  Layer.succeed(ScheduledWorkInterval, Duration.seconds(20)),
)

interface Scenario {
  readonly name: string
  readonly provider: () => Provider
  readonly request: object
  /** Stored after the notification is final; the crash then happens while it is handled. */
  readonly report?: "delivered" | "bounced"
  readonly expected: ReadonlyArray<string>
}

/** Three members, each with a device. */
const registerAudience = Effect.gen(function* () {
  const members = ["u1", "u2", "u3"]
  const [audiences, devices] = [yield* Audiences, yield* UserDevices]
  yield* audiences.add("fans", members)
  for (const id of members)
    yield* devices.register(id, { device_id: "d", platform: "android", token: `good-token-${id}` })
}).pipe(Effect.provide(Layer.merge(Audiences.layer, UserDevices.layer)))

const passMinute = Effect.forEach(Array.from({ length: 12 }), () => TestClock.adjust("5 seconds"), { discard: true })

/** The types of the published events by their ids, and whether the worker reached the fatal write. */
const run = Effect.fnUntraced(function* ({ expected, provider, report, request }: Scenario, fatal: number) {
  const events = yield* recordEvents
  yield* registerAudience
  const { context, died, life } = yield* mortal(fatal)
  const only = provider()
  const first = yield* startWorker(only, context)
  life.isArmed = report === undefined
  yield* publish({ ...requestEvent(request), event_id: eventId })
  if (report !== undefined) {
    const state = yield* eventually(notificationState(eventId), (found) => found?.ended_at !== undefined)
    // The result of the delivery is decided and published before the report arrives.
    yield* eventually(() => events.length === 1)
    const delivery_id = state?.deliveries[0]?.delivery_id ?? ""
    const reported = { delivery_id, status: report, provider: "fake-mail", at: 1_700_000_000_000, permanent: true }
    // The publication of the report is not one of the worker's writes.
    life.writes = -1
    life.isArmed = true
    yield* first.reports.enqueue([{ key: "r", report: reported }])
  }
  yield* Effect.raceFirst(
    Deferred.await(died),
    eventually(Effect.as(passMinute, events), ({ length }) => length >= expected.length && !life.isDead),
  )
  const crashed = life.isDead
  if (crashed) {
    yield* Effect.forkDetach(Scope.close(first.scope, Exit.void))
    const next = yield* startWorker(
      only,
      Context.pick(KeyValue, EventBus)(yield* Effect.context<KeyValue | EventBus>()),
    )
    yield* eventually(
      Effect.as(passMinute, events),
      (all) => new Set(all.map(({ event_id }) => event_id)).size >= expected.length,
      { timeout: "5 seconds" },
    )
    yield* Effect.forkDetach(Scope.close(next.scope, Exit.void))
  } else yield* Effect.forkDetach(Scope.close(first.scope, Exit.void))
  const byId = new Map(events.map(({ event_id, event_type }) => [event_id, event_type]))
  return { crashed, types: [...byId.values()].toSorted(), ids: [...byId.keys()].toSorted() }
})

const scenarios: ReadonlyArray<Scenario> = [
  {
    name: "a push to one token",
    provider: () => push,
    request: { recipients: [{ fcm_token: "good-token" }], idempotency_key: "order-17" },
    expected: ["notification.sent"],
  },
  {
    name: "a push that its provider throttles once",
    provider: () => {
      let calls = 0
      const throttled = new TransientError({ dependency: "fcm", code: "throttled", message: "429" })
      return {
        ...push,
        send: () => Effect.suspend(() => (++calls === 1 ? Effect.fail(throttled) : Effect.succeed({}))),
      }
    },
    request: { recipients: [{ fcm_token: "good-token" }] },
    expected: ["notification.sent"],
  },
  {
    name: "a push to an invalid token",
    provider: () => push,
    request: { recipients: [{ fcm_token: "dead-token" }] },
    expected: ["device.token_invalid", "notification.failed"],
  },
  {
    name: "a push to several tokens, two of them invalid",
    provider: () => push,
    request: {
      recipients: ["dead-token-1", "good-token", "dead-token-2", "refused-token"].map((fcm_token) => ({ fcm_token })),
    },
    expected: ["device.token_invalid", "device.token_invalid", "notification.sent"],
  },
  {
    name: "an e-mail that its server defers twice",
    provider: () => {
      let calls = 0
      const deferred = new TransientError({ dependency: "smtp", code: deferredCode, message: "450 come back later" })
      const send = () => Effect.suspend(() => (++calls <= 2 ? Effect.fail(deferred) : Effect.succeed({})))
      return { ...mail(send), name: "deferring-mail", reports: false }
    },
    request: { notification_type: "email", recipients: [{ email: "anna@example.org" }] },
    expected: ["notification.sent"],
  },
  {
    name: "a push that is sent later",
    provider: () => push,
    request: { recipients: [{ fcm_token: "good-token" }], send_at: "1970-01-01T00:00:40Z" },
    expected: ["notification.sent"],
  },
  {
    name: "a push to an audience",
    provider: () => push,
    request: { audience: "fans", body: "to all" },
    expected: ["notification.sent", "notification.sent", "notification.sent"],
  },
  {
    name: "a push to an audience whose provider throttles one device, and knows another no more",
    provider: () => {
      let calls = 0
      const throttled = new TransientError({
        dependency: "fcm",
        code: "throttled",
        message: "429",
        retryAfterMillis: 9_000,
      })
      return {
        ...push,
        send: ({ userId }) =>
          Effect.suspend((): ReturnType<Provider["send"]> => {
            if (userId === "u2") return Effect.fail(new InvalidTarget({ reason: "unregistered", message: "gone" }))
            return userId === "u3" && ++calls === 1 ? Effect.fail(throttled) : Effect.succeed({})
          }),
      }
    },
    request: { audience: "fans", body: "to all" },
    expected: ["device.token_invalid", "notification.failed", "notification.sent", "notification.sent"],
  },
  {
    name: "a workflow with a digest, a delay and two pushes",
    provider: () => push,
    request: { recipients: [{ fcm_token: "good-token" }], workflow: "two-pushes" },
    expected: ["notification.sent", "notification.sent"],
  },
  {
    name: "the report of a bounce",
    provider: () => mail(() => Effect.succeed({ providerId: "p" })),
    request: { notification_type: "email", recipients: [{ email: "anna@example.org" }] },
    report: "bounced",
    expected: ["notification.bounced", "notification.sent"],
  },
  {
    name: "the report that an e-mail of unknown outcome was delivered",
    provider: () => mail(() => Effect.fail(new UnknownOutcome({ message: "gone" }))),
    request: { notification_type: "email", recipients: [{ email: "anna@example.org" }] },
    report: "delivered",
    expected: ["notification.delivered", "notification.failed", "notification.sent"],
  },
]

describe("a worker that dies before any of its writes", () => {
  for (const scenario of scenarios) {
    it.effect(`publishes every event of ${scenario.name}`, () =>
      Effect.gen(function* () {
        const complete = yield* Effect.provide(run(scenario, Infinity), Layer.fresh(ports))
        assert.deepStrictEqual(complete.types, scenario.expected)
        let fatal = 1
        for (; ; fatal++) {
          const { crashed, ids, types } = yield* Effect.provide(run(scenario, fatal), Layer.fresh(ports))
          assert.deepStrictEqual(types, scenario.expected, `the worker died before write ${fatal}`)
          assert.deepStrictEqual(ids, complete.ids)
          if (!crashed) break
        }
        assert.isAbove(fatal, 3)
      }),
    )
  }
})
