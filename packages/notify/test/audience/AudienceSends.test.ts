/** Requests to an audience: every member once, also at a provider that throttles; progress; cancellation during the send. */
import { ephemeral, event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { deriveId } from "@armoricore/domain/DeterministicId"
import { Audiences, audienceSends } from "@armoricore/state/Audiences"
import * as Collection from "@armoricore/state/Collection"
import { UserDevices } from "@armoricore/state/UserDevices"
import { FakeFcm } from "@armoricore/testing/fakes/FakeFcm"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Option } from "effect"
import { layer as providerLayer } from "../../src/provider/Provider.ts"
import * as Fcm from "../../src/providers/push/Fcm.ts"
import { notificationState, ports, publishRequest, service, until } from "../support/NotifyHarness.ts"

const membersOf = (length: number) => Array.from({ length }, (_, index) => `u${index}`)

/** An audience whose members have a device each. */
const fill = Effect.fnUntraced(function* (members: ReadonlyArray<string>) {
  const devices = yield* UserDevices
  yield* (yield* Audiences).add("fans", members)
  yield* Effect.forEach(
    members,
    (id) => devices.register(id, { device_id: "d", platform: "android", token: `token-of-${id}` }),
    { concurrency: 16, discard: true },
  )
})

const sendOf = (id: string) =>
  Effect.flatMap(Collection.make(audienceSends), (sends) =>
    Effect.map(sends.get(id), (found) => Option.getOrUndefined(found)?.value),
  )
const statesOf = (id: string, members: ReadonlyArray<string>) =>
  Effect.forEach(members, (member) => notificationState(deriveId("audience-member", id, member)))

const stores = Layer.mergeAll(UserDevices.layer, Audiences.layer)
const request = { user_id: "shop", audience: "fans" }

describe("a send to an audience", () => {
  it.live("reaches every member once at a provider that throttles, and reports its progress", () =>
    Effect.gen(function* () {
      const members = membersOf(240)
      const fake = yield* FakeFcm
      const bus = yield* EventBus
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
      const states = yield* until(
        statesOf(id, members),
        (all) => all.every((state) => state !== undefined && state.status !== "pending"),
        40,
      )
      assert.deepStrictEqual(
        states.flatMap((state) => (state?.status === "sent" ? [] : [`${state?.user_id} ${state?.status}`])),
        ["u7 failed"],
      )
      assert.lengthOf(fake.sent, members.length - 1)
      assert.strictEqual(new Set(fake.sent.map(({ token }) => token)).size, members.length - 1)
      assert.isAbove(refused.size, 20)
      yield* until(sendOf(id), (send) => send?.status === "done")
      const last = yield* until(
        Effect.sync(() => progress.at(-1)),
        (one) => one?.status === "done",
      )
      assert.deepInclude(last, { members: members.length, percent: 100 })
    }).pipe(
      Effect.provide(
        service(
          Layer.unwrap(Effect.map(FakeFcm, ({ baseUrl, serviceAccount }) => Fcm.layer({ baseUrl, serviceAccount }))),
        ).pipe(Layer.provideMerge(Layer.provideMerge(stores, Layer.merge(ports, FakeFcm.layer))), Layer.fresh),
      ),
    ),
  )

  it.live(
    "a cancellation during the send spares the members who were not reached, and no member is left between",
    () => {
      const sent: Array<string> = []
      const goOn = Deferred.makeUnsafe<void>()
      // Each of the four lanes has more members than one chunk.
      const members = membersOf(800)
      const provider = providerLayer(
        Effect.succeed({
          name: "held",
          channels: ["fcm"] as const,
          reports: false,
          send: ({ userId }: { readonly userId: string }) =>
            Effect.suspend(() => {
              sent.push(userId)
              return Effect.as(Deferred.await(goOn), {})
            }),
        }),
      )
      return Effect.gen(function* () {
        const bus = yield* EventBus
        yield* fill(members)
        const id = yield* publishRequest(request)
        yield* until(
          Effect.sync(() => sent.length),
          (count) => count > 0,
        )
        const body = {
          event_type: "notification.cancelled",
          event_id: crypto.randomUUID(),
          timestamp: new Date().toISOString(),
          source: "php-backend",
          payload: { notification_id: id },
        }
        yield* bus.publish({
          address: event("notification.cancelled"),
          id: body.event_id,
          body: new TextEncoder().encode(JSON.stringify(body)),
        })
        yield* until(sendOf(id), (send) => send?.status === "cancelled")
        Deferred.doneUnsafe(goOn, Effect.void)
        // The chunks that had begun end; no further chunk begins.
        const states = yield* until(statesOf(id, members), (all) => all.every((state) => state?.status !== "pending"))
        const reached = states.filter((state) => state !== undefined)
        assert.sameMembers(
          reached.map(({ user_id }) => user_id),
          sent,
        )
        assert.isBelow(sent.length, members.length)
        assert.strictEqual(new Set(sent).size, sent.length)
      }).pipe(
        Effect.provide(service(provider).pipe(Layer.provideMerge(Layer.provideMerge(stores, ports)), Layer.fresh)),
      )
    },
  )
})
