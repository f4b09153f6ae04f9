import type { InboxMessage, NotificationState } from "@armoricore/domain/NotificationState"
import { chunkKeyOf, memberIdOf } from "@armoricore/domain/AudienceChunk"
import { audienceChunks } from "@armoricore/state/AudienceChunks"
import * as Collection from "@armoricore/state/Collection"
import {
  aliasKeyOf,
  deliveryStates,
  inboxMessages,
  notificationAliases,
  notificationStates,
} from "@armoricore/state/NotificationStates"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { apiServer, sendRequest, signToken } from "./support/ApiServer.ts"

const at = "2026-01-31T12:00:00.000Z"
const target = { channel: "fcm", token: "a-secret-token" } as const

const state: NotificationState = {
  notification_id: "n1",
  user_id: "7",
  notification_type: "push",
  status: "pending",
  source_event_id: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
  content: { title: "Hello", text: "World", data: {} },
  deliveries: [
    { delivery_id: "n1.fcm.a", target, summary: { channel: "fcm", provider: "fcm", status: "sent", provider_id: "p" } },
    { delivery_id: "n1.fcm.b", target },
  ],
  requested_at: Date.parse(at),
  updated_at: at,
}

const message: InboxMessage = {
  message_id: "m1",
  user_id: "7",
  notification_id: "n1",
  channel: "email",
  to: "anna@example.org",
  title: "Hello",
  text: "World",
  data: {},
  attachments: [],
  received_at: at,
}

const storeFixtures = Effect.gen(function* () {
  yield* (yield* Collection.make(notificationStates)).put("n1", state)
  yield* (yield* Collection.make(deliveryStates)).put("n1.fcm.b", {
    delivery_id: "n1.fcm.b",
    notification_id: "n1",
    channel: "fcm",
    status: "sending",
    attempt: 2,
    provider: "fcm",
    updated_at: at,
  })
  yield* (yield* Collection.make(inboxMessages)).put("m1", message)
})

describe("GET /v1/notifications/{id}", () => {
  it.effect("shows the state of each delivery to the user, to backends and to operators, without tokens", () =>
    Effect.gen(function* () {
      yield* storeFixtures
      for (const token of [
        yield* signToken("7"),
        yield* signToken("php", "publisher"),
        yield* signToken("ops", "operator"),
      ]) {
        const { body, status } = yield* sendRequest("GET", "/v1/notifications/n1", { token })
        assert.strictEqual(status, 200)
        assert.deepNestedInclude(body, {
          status: "pending",
          "deliveries[0].status": "sent",
          "deliveries[0].provider_id": "p",
          "deliveries[1].status": "sending",
          "deliveries[1].attempt": 2,
        })
        assert.notInclude(JSON.stringify(body), "a-secret-token")
      }
    }).pipe(Effect.provide(apiServer())),
  )

  it.effect("shows a single push during its first call", () =>
    Effect.gen(function* () {
      yield* storeFixtures
      const [, second] = state.deliveries
      assert(second !== undefined)
      const calling = { ...second, delivery_id: "n1.fcm.c", first_call: { provider: "fcm", lease_until: 0 } }
      yield* (yield* Collection.make(notificationStates)).put("n1", { ...state, deliveries: [calling] })
      const { body } = yield* sendRequest("GET", "/v1/notifications/n1", { token: yield* signToken("7") })
      assert.deepNestedInclude(body, {
        "deliveries[0].status": "sending",
        "deliveries[0].provider": "fcm",
        "deliveries[0].attempt": 1,
      })
    }).pipe(Effect.provide(apiServer())),
  )

  // regression: with an idempotency key, the event_id was not found
  it.effect("finds a notification with an idempotency key by the event_id of its request", () =>
    Effect.gen(function* () {
      yield* storeFixtures
      const id = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
      yield* (yield* Collection.make(notificationAliases)).put(aliasKeyOf(id), { notification_id: "n1" })
      for (const requestedId of [id, id.toUpperCase()]) {
        const { body } = yield* sendRequest("GET", `/v1/notifications/${requestedId}`, { token: yield* signToken("7") })
        assert.deepInclude(body, { notification_id: "n1", status: "pending" })
      }
      const { status } = yield* sendRequest("GET", `/v1/notifications/${id}`, { token: yield* signToken("8") })
      assert.strictEqual(status, 403)
    }).pipe(Effect.provide(apiServer())),
  )

  it.effect("shows a member of an audience the state of the own notification", () =>
    Effect.gen(function* () {
      yield* (yield* Collection.make(audienceChunks)).put(chunkKeyOf("send-1", 5), {
        send_id: "send-1",
        chunk: 5,
        notification_type: "push",
        requested_at: Date.parse(at),
        updated_at: at,
        kinds: [{ channel: "fcm", provider: "fcm", status: "sent" }],
        errors: [],
        members: [{ u: "6" }, { u: "7", r: [{ k: 0, i: "p" }], e: Date.parse(at) }, { u: "" }],
      })
      const read = (index: number, token: string) =>
        sendRequest("GET", `/v1/notifications/${memberIdOf("send-1", 5, index)}`, { token })
      const token = yield* signToken("7")
      const { body } = yield* read(1, token)
      assert.deepNestedInclude(body, {
        notification_id: memberIdOf("send-1", 5, 1),
        user_id: "7",
        status: "sent",
        ended_at: at,
        "deliveries[0].status": "sent",
        "deliveries[0].provider_id": "p",
      })
      assert.strictEqual((yield* read(0, token)).status, 403)
      assert.strictEqual((yield* read(2, token)).status, 404)
      assert.strictEqual((yield* read(3, token)).status, 404)
      assert.deepInclude((yield* read(0, yield* signToken("6"))).body, { status: "pending", deliveries: [] })
    }).pipe(Effect.provide(apiServer())),
  )

  it.effect("rejects other users, and responds with 404 for an unknown id", () =>
    Effect.gen(function* () {
      yield* storeFixtures
      assert.strictEqual((yield* sendRequest("GET", "/v1/notifications/n1")).status, 401)
      const token = yield* signToken("8")
      assert.deepInclude((yield* sendRequest("GET", "/v1/notifications/n1", { token })).body, {
        status: 403,
        code: "forbidden",
      })
      assert.deepInclude((yield* sendRequest("GET", "/v1/notifications/n2", { token })).body, { status: 404 })
    }).pipe(Effect.provide(apiServer())),
  )
})

describe("GET /v1/inbox", () => {
  it.effect("shows users their own messages, and operators all messages", () =>
    Effect.gen(function* () {
      yield* storeFixtures
      const getInbox = Effect.fnUntraced(function* (user: string, ...roles: ReadonlyArray<string>) {
        return yield* sendRequest("GET", "/v1/inbox", { token: yield* signToken(user, ...roles) })
      })
      assert.deepStrictEqual((yield* getInbox("7")).body, { messages: [message] })
      assert.deepStrictEqual((yield* getInbox("8")).body, { messages: [] })
      assert.deepStrictEqual((yield* getInbox("ops", "operator")).body, { messages: [message] })
      assert.strictEqual((yield* getInbox("g", "guest")).status, 403)
    }).pipe(Effect.provide(apiServer())),
  )
})
