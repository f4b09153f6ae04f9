/** The erasure of a user over several services: each removes its own stores, and the last word is one `user.erased`. */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { TransientError } from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import type { EventOf } from "@armoricore/domain/EventRegistry"
import { KeyValue } from "@armoricore/state/KeyValue"
import { eventually, expectNothingFor } from "@armoricore/testing/Eventually"
import * as Testing from "@armoricore/testing/Testing"
import * as BusErasure from "@armoricore/worker/erasure/BusErasure"
import * as DecisionErasure from "@armoricore/worker/erasure/DecisionErasure"
import * as Erasure from "@armoricore/worker/erasure/Erasure"
import type { ErasureStore } from "@armoricore/worker/erasure/ErasureStore"
import { ledgerBucket } from "@armoricore/worker/ledger/Ledger"
import * as Worker from "@armoricore/worker/Worker"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Logger, Option } from "effect"

const pause = Duration.millis(20)
const at = "2026-02-01T12:00:00Z"
const envelope = (event_type: string, payload: object, event_id: string = crypto.randomUUID()) => ({
  event_type,
  event_id,
  timestamp: at,
  source: event_type === "user.erase_requested" ? "php-backend" : "realtime",
  payload,
})

const publish = Effect.fnUntraced(function* (event: ReturnType<typeof envelope>) {
  const bus = yield* EventBus
  const body = new TextEncoder().encode(JSON.stringify(event))
  yield* bus.publish({ address: { channel: "event", type: event.event_type }, id: event.event_id, body })
})

const recordErased = Effect.gen(function* () {
  const bus = yield* EventBus
  const erased: Array<EventOf<"user.erased">["payload"]> = []
  yield* bus.subscribe(Address.event("user.erased"), ({ body }) => {
    const decoded = EventCodec.decodeResult(body)
    if (decoded._tag === "Success" && decoded.success.event.event_type === "user.erased")
      erased.push(decoded.success.event.payload)
  })
  return erased
})

/** A store with entries by user, which fails at its first calls: one more than an event has attempts. */
const storeOf = (name: string, entries: Array<string>): ErasureStore => {
  let calls = 0
  return {
    name,
    erase: ({ userId }) =>
      Effect.suspend(() => {
        if (++calls <= 6)
          return Effect.fail(new TransientError({ dependency: name, code: "unavailable", message: "it is away" }))
        const retained = entries.filter((user) => user !== userId)
        const removed = entries.length - retained.length
        entries.splice(0, entries.length, ...retained)
        return Effect.succeed(removed)
      }),
  }
}

const start = Effect.fnUntraced(function* (service: string, stores: ReadonlyArray<ErasureStore>) {
  yield* Worker.run(service, [
    yield* Erasure.handler(service, stores, { pause, isCoordinator: service === "realtime" }),
  ])
})

const ports = Layer.merge(Testing.layer, Logger.layer([]))

describe("user.erase_requested", () => {
  it.live("is answered once all registered services have found nothing more", () =>
    Effect.gen(function* () {
      const erased = yield* recordErased
      const [media, messages] = [
        ["u1", "u2"],
        ["u1", "u1"],
      ]
      yield* start("realtime", [storeOf("messages", messages)])
      // Registered, and not running yet.
      const handler = yield* Erasure.handler("media", [storeOf("media", media)], { pause })
      yield* publish(envelope("user.erase_requested", { user_id: "u1" }))
      yield* eventually(() => messages.length === 0)
      yield* expectNothingFor("100 millis", () => erased.length > 0)
      yield* Worker.run("media", [handler])
      yield* eventually(() => erased.length === 1)
      assert.deepInclude(erased[0], { user_id: "u1", removed: { media: 1, messages: 2 } })
      assert.deepStrictEqual(media, ["u2"])
    }).pipe(Effect.provide(ports)),
  )

  it.live("removes what a queue stores meanwhile, and a repeated request reports again", () =>
    Effect.gen(function* () {
      const erased = yield* recordErased
      const entries = ["u1"]
      let late = 2
      const store: ErasureStore = {
        name: "media",
        erase: () =>
          Effect.sync(() => {
            const removed = entries.splice(0).length
            if (late-- > 0) entries.push("u1")
            return removed
          }),
      }
      yield* start("realtime", [store])
      yield* publish(envelope("user.erase_requested", { user_id: "u1" }))
      yield* eventually(() => erased.length === 1)
      assert.deepInclude(erased[0], { removed: { media: 3 } })
      assert.deepStrictEqual(entries, [])
      yield* publish(envelope("user.erase_requested", { user_id: "u1" }))
      yield* eventually(() => erased.length === 2)
      assert.deepInclude(erased[1], { removed: { media: 0 } })
      const precedes = yield* Erasure.makePrecedesErasure
      assert.isTrue(yield* precedes("u1", at))
      assert.isFalse(yield* precedes("u1", "2026-02-01T12:00:01Z"))
      assert.isFalse(yield* precedes("u2", at))
    }).pipe(Effect.provide(ports)),
  )

  it.live("removes the user's handled events and dead letters from the bus, and results from the ledger", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const erased = yield* recordErased
      const chat = (user_id: string | number) =>
        publish(
          envelope("chat.message", {
            message_id: crypto.randomUUID(),
            room_id: "r",
            user_id,
            content: "c",
            timestamp: at,
          }),
        )
      for (const user of ["7", 7, "77"]) yield* chat(user)
      yield* bus.publish({
        address: Address.deadLetter("media", "media.uploaded"),
        id: "dead",
        body: new TextEncoder().encode(JSON.stringify({ payload: { user_id: 7 } })),
      })
      const state = yield* KeyValue
      const result = (user_id: string) => ({
        address: Address.event("chat.message"),
        id: crypto.randomUUID(),
        body: JSON.stringify({ event_type: "chat.message", payload: { user_id, content: "canary" } }),
      })
      const decided = { status: "decided", at: 1, attempts: 0, firstAt: 1 }
      const decision = { outbound: [result("7"), result("77")] }
      yield* state.put(ledgerBucket, "ai-chat.1", JSON.stringify({ ...decided, decision }))
      yield* start("realtime", [yield* DecisionErasure.makeStore, ...(yield* BusErasure.makeStores)])
      yield* publish(envelope("user.erase_requested", { user_id: "7" }))
      yield* eventually(() => erased.length === 1)
      assert.deepInclude(erased[0], { removed: { decisions: 1, events: 2, dead_letters: 1 } })
      const record = Option.getOrThrow(yield* state.get(ledgerBucket, "ai-chat.1")).value
      assert.deepStrictEqual(JSON.parse(record), { ...decided, decision: { outbound: decision.outbound.slice(1) } })
      assert.strictEqual(yield* bus.removeHandled("chat.message", () => true), 1)
    }).pipe(Effect.provide(ports)),
  )
})
