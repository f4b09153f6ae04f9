/** Members of an audience who are notified later: quiet hours, outages, cancellations and erasures meanwhile. Virtual time. */
import * as Collection from "@armoricore/state/Collection"
import { audienceChunks } from "@armoricore/state/AudienceChunks"
import { Audiences } from "@armoricore/state/Audiences"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { TransientError } from "@armoricore/domain/Errors"
import { eventually } from "@armoricore/testing/Eventually"
import { RetryPolicy } from "@armoricore/worker/RetryPolicy"
import { ScheduledWorkInterval } from "@armoricore/worker/ScheduledWork"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as NotifyErasure from "../../src/erasure/NotifyErasure.ts"
import { ChunkSize } from "../../src/audience/AudienceSends.ts"
import { layer as providerLayer, type Message } from "../../src/provider/Provider.ts"
import { fill, membersOf, publishCancellation, request, sendOf, statesOf } from "../support/AudienceHarness.ts"
import { ports, publishRequest, recordEvents, service } from "../support/NotifyHarness.ts"

const stores = Layer.mergeAll(UserDevices.layer, Audiences.layer, UserPreferences.layer)

const rules = Layer.mergeAll(
  Layer.succeed(RetryPolicy, { maxAttempts: 5, base: Duration.seconds(1), cap: Duration.seconds(5) }),
  Layer.succeed(ScheduledWorkInterval, Duration.seconds(20)),
  Layer.succeed(ChunkSize, 2),
)

const layerOf = (send: (message: Message) => Effect.Effect<object, TransientError>) =>
  service(providerLayer(Effect.succeed({ name: "fake", channels: ["fcm"] as const, reports: false, send })), {
    rules,
  }).pipe(Layer.provideMerge(Layer.provideMerge(stores, ports)), Layer.fresh)

/** The clock of the test stands at 00:00 UTC. */
const quiet = { from: "23:00", to: "00:10", time_zone: "UTC" }
const rest = (userId: string, categories = {}) =>
  Effect.flatMap(UserPreferences, (preferences) => preferences.put(userId, { categories, quiet_hours: quiet }))

/** Ten virtual seconds pass with every look. */
const passing = <A, E, R>(look: Effect.Effect<A, E, R>) =>
  Effect.andThen(
    Effect.forEach(Array.from({ length: 10 }), () => TestClock.adjust("1 second"), { discard: true }),
    look,
  )

describe("a member of an audience", () => {
  it.effect(
    "in quiet hours is notified at their end, by the preferences of then, and the send ends with the last",
    () => {
      const sent: Array<string> = []
      return Effect.gen(function* () {
        yield* fill(membersOf(9))
        for (const id of ["u1", "u2", "u3"]) yield* rest(id)
        const id = yield* publishRequest(request)
        yield* eventually(passing(sendOf(id)), (send) => send?.waiting?.reduce((sum, { open }) => sum + open, 0) === 3)
        yield* eventually(passing(statesOf(id)), (states) => states.size === 9)
        assert.deepStrictEqual(sent.toSorted(), ["u0", "u4", "u5", "u6", "u7", "u8"])
        assert.strictEqual((yield* sendOf(id))?.status, "running")
        yield* rest("u2", { "*": { push: false } })
        yield* TestClock.adjust("9 minutes")
        yield* eventually(passing(sendOf(id)), (send) => send?.status === "done")
        const states = yield* statesOf(id)
        assert.deepStrictEqual(sent.slice(6).toSorted(), ["u1", "u3"])
        assert.deepStrictEqual(states.get("u2")?.deliveries, [
          { channel: "fcm", provider: "none", status: "suppressed", reason: "preference" },
        ])
        assert.isTrue(
          [...states.values()].every(({ status, user_id }) => status === (user_id === "u2" ? "failed" : "sent")),
        )
      }).pipe(
        Effect.provide(
          layerOf(({ userId }) =>
            Effect.sync(() => {
              sent.push(userId)
              return {}
            }),
          ),
        ),
      )
    },
  )

  it.effect("in quiet hours gets nothing after a cancellation, and the notification ends at once", () => {
    const sent: Array<string> = []
    return Effect.gen(function* () {
      const events = yield* recordEvents
      yield* fill(membersOf(4))
      for (const id of ["u1", "u2"]) yield* rest(id)
      const id = yield* publishRequest(request)
      yield* eventually(passing(sendOf(id)), (send) => send?.waiting?.reduce((sum, { open }) => sum + open, 0) === 2)
      yield* eventually(passing(statesOf(id)), (states) => states.size === 4)
      const failed = () => events.filter(({ event_type }) => event_type === "notification.failed")
      // Alone, by the id of the member's notification.
      yield* publishCancellation((yield* statesOf(id)).get("u1")?.notification_id ?? "")
      yield* eventually(passing(Effect.sync(failed)), ({ length }) => length === 1)
      assert.deepNestedInclude(failed()[0]?.payload, { user_id: "u1", "error.code": "cancelled" })
      yield* publishCancellation(id)
      yield* eventually(passing(Effect.sync(failed)), ({ length }) => length === 2)
      assert.deepNestedInclude(failed()[1]?.payload, { user_id: "u2", "error.code": "cancelled" })
      yield* TestClock.adjust("15 minutes")
      assert.deepStrictEqual(sent.toSorted(), ["u0", "u3"])
      assert.strictEqual((yield* sendOf(id))?.status, "cancelled")
    }).pipe(
      Effect.provide(
        layerOf(({ userId }) =>
          Effect.sync(() => {
            sent.push(userId)
            return {}
          }),
        ),
      ),
    )
  })

  it.effect(
    "is notified after an outage of the provider; meanwhile the lanes wait, and no attempts are used up",
    () => {
      const sent: Array<string> = []
      const provider = { isDown: true, calls: 0 }
      return Effect.gen(function* () {
        yield* fill(membersOf(60))
        const id = yield* publishRequest(request)
        // Ten minutes of an outage: more than the attempts of a member would last.
        for (let minute = 0; minute < 10; minute++) yield* passing(passing(TestClock.adjust("40 seconds")))
        assert.isBelow((yield* statesOf(id)).size, 60)
        assert.isBelow(provider.calls, 150)
        provider.isDown = false
        yield* eventually(passing(sendOf(id)), (send) => send?.status === "done")
        assert.deepStrictEqual(sent.toSorted(), membersOf(60).toSorted())
      }).pipe(
        Effect.provide(
          layerOf(({ userId }) =>
            Effect.suspend(() => {
              provider.calls++
              if (provider.isDown)
                return Effect.fail(new TransientError({ dependency: "fcm", code: "unavailable", message: "503" }))
              sent.push(userId)
              return Effect.succeed({})
            }),
          ),
        ),
      )
    },
  )

  it.effect("who is erased during the send leaves no trace in its chunk, and no event", () => {
    const goOn = Deferred.makeUnsafe<void>()
    const called = new Set<string>()
    return Effect.gen(function* () {
      const events = yield* recordEvents
      yield* fill(["stays", "canary-77ab"])
      const id = yield* publishRequest(request)
      yield* eventually(passing(Effect.sync(() => called.size)), (count) => count === 2)
      const erasure = (yield* NotifyErasure.makeStores).find(({ name }) => name === "audience_chunks")
      const erase = erasure?.erase({
        userId: "canary-77ab",
        requestId: "r",
        requestedAt: "2026-02-01T12:00:00Z",
        publish: () => Effect.void,
      })
      assert.strictEqual(yield* erase ?? Effect.succeed(0), 1)
      assert.strictEqual(yield* erase ?? Effect.succeed(1), 0)
      Deferred.doneUnsafe(goOn, Effect.void)
      yield* eventually(passing(sendOf(id)), (send) => send?.status === "done")
      assert.deepStrictEqual([...(yield* statesOf(id)).keys()], ["stays"])
      const chunks = yield* (yield* Collection.make(audienceChunks)).list({ limit: 10 })
      assert.notInclude(JSON.stringify([chunks, events]), "canary-77ab")
    }).pipe(
      Effect.provide(
        layerOf(({ userId }) =>
          Effect.suspend(() => {
            called.add(userId)
            return Effect.as(Deferred.await(goOn), {})
          }),
        ),
      ),
    )
  })
})
