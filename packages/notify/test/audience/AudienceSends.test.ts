/** Requests to an audience: every member once, also at a provider that throttles; progress; cancellation; what leaves a chunk. */
import { ephemeral, work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { deriveId } from "@armoricore/domain/DeterministicId"
import { TransientError } from "@armoricore/domain/Errors"
import type { MemberNotification } from "@armoricore/state/AudienceChunks"
import { Audiences, audienceSends } from "@armoricore/state/Audiences"
import * as Collection from "@armoricore/state/Collection"
import { UserDevices } from "@armoricore/state/UserDevices"
import { FakeFcm } from "@armoricore/testing/fakes/FakeFcm"
import { DeadLetters } from "@armoricore/worker"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer } from "effect"
import { ChunkSize } from "../../src/audience/AudienceSends.ts"
import { layer as providerLayer, type Message, Refusal } from "../../src/provider/Provider.ts"
import * as Fcm from "../../src/providers/push/Fcm.ts"
import * as WorkKinds from "../../src/WorkKinds.ts"
import { fill, membersOf, publishCancellation, request, sendOf, statesOf } from "../support/AudienceHarness.ts"
import {
  awaitEvent,
  fastTimings,
  notificationState,
  ports,
  publishRequest,
  recordEvents,
  service,
  until,
} from "../support/NotifyHarness.ts"

const stores = Layer.mergeAll(UserDevices.layer, Audiences.layer)
const isFinal = ({ status }: MemberNotification) => status !== "pending"

/** Small chunks, so that a lane has several. */
const rules = Layer.merge(fastTimings, Layer.succeed(ChunkSize, 20))

const layerOf = (
  channel: "fcm" | "email",
  send: (message: Message) => Effect.Effect<object, TransientError | Refusal>,
) => {
  const provider = providerLayer(Effect.succeed({ name: "fake", channels: [channel], reports: false, send }))
  return service(provider, { rules }).pipe(Layer.provideMerge(Layer.provideMerge(stores, ports)), Layer.fresh)
}

describe("a send to an audience", () => {
  it.live("reaches every member once at a provider that throttles, and reports its progress", () =>
    Effect.gen(function* () {
      const members = membersOf(240)
      const fake = yield* FakeFcm
      const bus = yield* EventBus
      const events = yield* recordEvents
      const progress: Array<{ readonly status: string; readonly members: number; readonly percent: number }> = []
      yield* bus.subscribe(ephemeral("notification.progress"), ({ body }) => {
        progress.push(JSON.parse(new TextDecoder().decode(body)).payload)
      })
      yield* fill(members)
      const refused = new Set<string>()
      // The quota is used up for every fifth device at its first push; one device is gone.
      fake.override = (token) => {
        if (token === "token-of-u7") return { status: 404, code: "UNREGISTERED", fcm: true }
        if (!token.endsWith("5") || refused.has(token)) return undefined
        refused.add(token)
        return { status: 429, code: "QUOTA_EXCEEDED", fcm: true, headers: { "retry-after": "1" } }
      }
      const id = yield* publishRequest(request)
      yield* until(sendOf(id), (send) => send?.status === "done", 40)
      const states = [...(yield* statesOf(id)).values()]
      assert.lengthOf(states, members.length)
      assert.deepStrictEqual(
        states.flatMap((state) => (state.status === "sent" ? [] : [`${state.user_id} ${state.status}`])),
        ["u7 failed"],
      )
      assert.lengthOf(fake.sent, members.length - 1)
      assert.strictEqual(new Set(fake.sent.map(({ token }) => token)).size, members.length - 1)
      assert.isAbove(refused.size, 20)
      const last = yield* until(
        Effect.sync(() => progress.at(-1)),
        (one) => one?.status === "done",
      )
      assert.deepInclude(last, { members: members.length, percent: 100 })
      // Each member has one result, with the id of the state.
      const results = events.filter(({ event_type }) => /^notification\.(sent|failed)$/.test(event_type))
      assert.sameMembers(
        results.map(({ payload }) => payload["notification_id"]),
        states.map(({ notification_id }) => notification_id),
      )
      const gone = events.find(({ event_type }) => event_type === "device.token_invalid")
      assert.deepInclude(gone?.payload, { user_id: "u7", platform: "fcm", reason: "unregistered" })
    }).pipe(
      Effect.provide(
        service(
          Layer.unwrap(Effect.map(FakeFcm, ({ baseUrl, serviceAccount }) => Fcm.layer({ baseUrl, serviceAccount }))),
          { rules },
        ).pipe(Layer.provideMerge(Layer.provideMerge(stores, Layer.merge(ports, FakeFcm.layer))), Layer.fresh),
      ),
    ),
  )

  it.live(
    "a cancellation during the send spares the members who were not reached, and no member is left between",
    () => {
      const sent: Array<string> = []
      const goOn = Deferred.makeUnsafe<void>()
      // More than may be called at once.
      const members = membersOf(800)
      return Effect.gen(function* () {
        yield* fill(members)
        const id = yield* publishRequest(request)
        yield* until(
          Effect.sync(() => sent.length),
          (count) => count > 0,
        )
        yield* publishCancellation(id)
        yield* until(sendOf(id), (send) => send?.status === "cancelled")
        Deferred.doneUnsafe(goOn, Effect.void)
        // The calls that had begun end; no further call begins.
        const states = yield* until(statesOf(id), (all) => all.size > 0 && [...all.values()].every(isFinal))
        assert.sameMembers(
          [...states.values()].flatMap(({ status, user_id }) => (status === "sent" ? [user_id] : [])),
          sent,
        )
        for (const { deliveries, status } of states.values())
          if (status === "failed") assert.deepInclude(deliveries[0], { status: "suppressed", reason: "cancelled" })
        assert.isBelow(sent.length, members.length)
        assert.strictEqual(new Set(sent).size, sent.length)
      }).pipe(
        Effect.provide(
          layerOf("fcm", ({ userId }) =>
            Effect.suspend(() => {
              sent.push(userId)
              return Effect.as(Deferred.await(goOn), {})
            }),
          ),
        ),
      )
    },
  )

  it.live("a member whose attempts fail leaves the chunk for the last one, and ends as a dead letter", () => {
    const calls: Array<string> = []
    return Effect.gen(function* () {
      const events = yield* recordEvents
      yield* fill(membersOf(6))
      const id = yield* publishRequest(request)
      yield* until(sendOf(id), (send) => send?.status === "done")
      const failed = yield* awaitEvent(events, "notification.failed")
      assert.deepInclude(failed.payload, { user_id: "u3" })
      // RETRY_MAX_ATTEMPTS of the test.
      assert.lengthOf(
        calls.filter((user) => user === "u3"),
        5,
      )
      assert.deepInclude(yield* notificationState(String(failed.payload["notification_id"])), {
        user_id: "u3",
        status: "failed",
      })
      const letters = yield* until((yield* DeadLetters).list({ limit: 10 }), ({ length }) => length > 0)
      assert.lengthOf(letters, 1)
      assert.deepStrictEqual([...calls].filter((user) => user !== "u3").toSorted(), ["u0", "u1", "u2", "u4", "u5"])
    }).pipe(
      Effect.provide(
        layerOf("fcm", ({ userId }) =>
          Effect.suspend(() => {
            calls.push(userId)
            return userId === "u3"
              ? Effect.fail(new TransientError({ dependency: "fcm", code: "unavailable", message: "503" }))
              : Effect.succeed({})
          }),
        ),
      ),
    )
  })

  it.live("refusals that turn out to be our own fault are taken back, and these members are sent to again", () => {
    const setting = { isWrong: true }
    const accepted = new Set<string>()
    return Effect.gen(function* () {
      const events = yield* recordEvents
      yield* fill(membersOf(16))
      // Refusals count only after an acceptance.
      yield* publishRequest({ user_id: "other", recipients: [{ fcm_token: "first" }] })
      yield* awaitEvent(events, "notification.sent")
      const id = yield* publishRequest(request)
      yield* awaitEvent(events, "device.token_restored")
      setting.isWrong = false
      yield* until(
        Effect.sync(() => accepted.size),
        (count) => count === 17,
      )
      yield* until(sendOf(id), (send) => send?.status === "done")
      const invalid = events.filter(({ event_type }) => event_type === "device.token_invalid").length
      yield* until(
        Effect.sync(() => events.filter(({ event_type }) => event_type === "device.token_restored").length),
        (count) => count === invalid,
      )
      assert.isAbove(invalid, 0)
    }).pipe(
      Effect.provide(
        layerOf("fcm", ({ target, userId }) =>
          Effect.suspend(() => {
            const isRefused = setting.isWrong && "token" in target && target.token !== "first"
            if (isRefused)
              return Effect.fail(
                new Refusal({
                  fault: "recipient",
                  reason: "sender_id_mismatch",
                  setting: "FCM_SERVICE_ACCOUNT",
                  message: "another project",
                  isTargetInvalid: true,
                }),
              )
            accepted.add(userId)
            return Effect.succeed({})
          }),
        ),
      ),
    )
  })

  it.live("of mail has an ordinary notification for each member, and so has one that an earlier version began", () => {
    const sent: Array<string> = []
    return Effect.gen(function* () {
      const devices = yield* UserDevices
      const members = membersOf(5)
      yield* (yield* Audiences).add("fans", members)
      yield* Effect.forEach(members, (id) =>
        devices.register(id, { device_id: "m", platform: "email", token: `${id}@example.org` }),
      )
      const id = yield* publishRequest({ ...request, notification_type: "email" })
      // As a version without chunks stored it, with the message that was in its queue.
      const at = "2026-01-31T12:00:00Z"
      yield* (yield* Collection.make(audienceSends)).put("earlier", {
        send_id: "earlier",
        audience: "fans",
        status: "running",
        source_event_id: "e1",
        payload: JSON.stringify({ user_id: "shop", notification_type: "email", title: "Hello", body: "World" }),
        lanes: [0, 1, 2, 3].map((lane) => ({ shard: lane, after: "", count: 0 })),
        started_at: at,
        updated_at: at,
      })
      for (const lane of [0, 1, 2, 3]) {
        const body = { cause_id: "e1", payload: { send_id: "earlier", lane, shard: lane, after: "" } }
        yield* (yield* EventBus).publish({
          address: work("notify", WorkKinds.audienceChunk),
          id: `earlier-${lane}`,
          body: new TextEncoder().encode(JSON.stringify(body)),
        })
      }
      for (const one of [id, "earlier"]) {
        yield* until(sendOf(one), (send) => send?.status === "done")
        for (const member of members) {
          const state = yield* until(
            notificationState(deriveId("audience-member", one, member)),
            (found) => found?.status === "sent",
          )
          assert.strictEqual(state?.user_id, member)
        }
        assert.strictEqual((yield* statesOf(one)).size, 0)
      }
      assert.deepStrictEqual(sent.toSorted(), [...members, ...members].toSorted())
    }).pipe(
      Effect.provide(
        layerOf("email", ({ userId }) =>
          Effect.sync(() => {
            sent.push(userId)
            return {}
          }),
        ),
      ),
    )
  })
})
