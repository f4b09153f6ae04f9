/** Requests that name only a user: the in-app inbox, and the registered devices. */
import { assert, describe, it } from "@effect/vitest"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { Effect, Layer } from "effect"
import { type Message, layer as providerLayer } from "../../src/provider/Provider.ts"
import * as InApp from "../../src/providers/inapp/InApp.ts"
import { awaitEvent, awaitFinal, ports, publishRequest, recordEvents, service } from "../support/NotifyHarness.ts"

const sent: Array<Message> = []
const recorder = providerLayer(
  Effect.succeed({
    name: "recorder",
    channels: ["fcm", "apns", "web_push", "email", "sms"] as const,
    reports: false,
    send: (message: Message) =>
      Effect.sync(() => {
        sent.push(message)
        return {}
      }),
  }),
)
const greeting = {
  name: "greeting",
  render: (_context: unknown, locale = "default") =>
    Effect.succeed({ title: `Title ${locale}`, text: "", html: locale }),
}
const notify = service(Layer.merge(recorder, InApp.layer), { templates: [greeting] }).pipe(
  Layer.provideMerge(Layer.provideMerge(Layer.merge(UserDevices.layer, UserPreferences.layer), ports)),
)

describe("a request with only a user id", () => {
  it.live("an in-app notification becomes an item of the user's inbox, once", () =>
    Effect.gen(function* () {
      const events = yield* recordEvents
      const id = yield* publishRequest({
        notification_type: "in_app",
        category: "orders",
        actor: "u2",
        data: { order: 7 },
      })
      const { payload } = yield* awaitEvent(events, "inbox.item")
      const { deliveries, status } = (yield* awaitFinal(id)) ?? {}
      assert.strictEqual(status, "sent")
      assert.deepInclude(payload, {
        user_id: "u",
        notification_id: id,
        item_id: deliveries?.[0]?.delivery_id,
        title: "Hello",
        body: "World",
        category: "orders",
        actor: "u2",
      })
      const large = yield* publishRequest({ notification_type: "in_app", body: "x".repeat(20_000) })
      const failed = yield* awaitFinal(large)
      assert.deepNestedInclude(failed, { status: "failed", "deliveries[0].summary.reason": "payload_too_large" })
      const wrong = yield* awaitFinal(
        yield* publishRequest({ notification_type: "in_app", recipients: [{ email: "a@example.org" }] }),
      )
      assert.deepNestedInclude(wrong, { "deliveries[0].summary.reason": "wrong_recipient" })
      assert.strictEqual(events.filter(({ event_type }) => event_type === "inbox.item").length, 1)
    }).pipe(Effect.provide(notify)),
  )

  it.live(
    "a push reaches every device of the user, or those of one app; a mail the registered address, an SMS the number",
    () =>
      Effect.gen(function* () {
        const devices = yield* UserDevices
        const none = yield* awaitFinal(yield* publishRequest({ user_id: "anna" }))
        assert.deepNestedInclude(none, { status: "failed", "error.code": "no_recipient" })
        yield* devices.register("anna", { device_id: "a", platform: "android", token: "fcm-token-1", app: "driver" })
        yield* devices.register("anna", { device_id: "b", platform: "ios", token: "ab".repeat(32) })
        yield* devices.register("anna", { device_id: "c", platform: "email", token: "anna@example.org" })
        yield* devices.register("anna", { device_id: "d", platform: "sms", token: "+33612345678" })
        sent.length = 0
        yield* awaitFinal(yield* publishRequest({ user_id: "anna" }))
        assert.sameDeepMembers(
          sent.map(({ target }) => target),
          [
            { channel: "fcm", token: "fcm-token-1", app: "driver" },
            { channel: "apns", token: "ab".repeat(32) },
          ],
        )
        sent.length = 0
        yield* awaitFinal(yield* publishRequest({ user_id: "anna", app: "driver" }))
        yield* awaitFinal(yield* publishRequest({ user_id: "anna", notification_type: "email" }))
        yield* awaitFinal(yield* publishRequest({ user_id: "anna", notification_type: "sms" }))
        assert.deepStrictEqual(
          sent.map(({ target }) => target),
          [
            { channel: "fcm", token: "fcm-token-1", app: "driver" },
            { channel: "email", address: "anna@example.org" },
            { channel: "sms", number: "+33612345678" },
          ],
        )
      }).pipe(Effect.provide(notify)),
  )

  it.live("a template is in the language of the request, else of the device, else of the preferences", () =>
    Effect.gen(function* () {
      const devices = yield* UserDevices
      const shown = Effect.fnUntraced(function* (fields: object) {
        sent.length = 0
        // The texts come from the template.
        const request = { user_id: "bo", template: "greeting", title: null, body: null, ...fields }
        const state = yield* awaitFinal(yield* publishRequest(request))
        assert.strictEqual(state?.status, "sent")
        return sent.map(({ html, target, title }) => [target.channel, title, html]).toSorted()
      })
      yield* devices.register("bo", { device_id: "a", platform: "android", token: "fcm-token-2", locale: "fr" })
      yield* devices.register("bo", { device_id: "b", platform: "ios", token: "cd".repeat(32) })
      yield* devices.register("bo", { device_id: "c", platform: "email", token: "bo@example.org", locale: "pt-BR" })
      assert.deepStrictEqual(yield* shown({}), [
        ["apns", "Title default", undefined],
        ["fcm", "Title fr", undefined],
      ])
      yield* (yield* UserPreferences).put("bo", { categories: {}, locale: "de" })
      assert.deepStrictEqual(yield* shown({}), [
        ["apns", "Title de", undefined],
        ["fcm", "Title fr", undefined],
      ])
      assert.deepStrictEqual(yield* shown({ locale: "es" }), [
        ["apns", "Title es", undefined],
        ["fcm", "Title es", undefined],
      ])
      assert.deepStrictEqual(yield* shown({ notification_type: "email" }), [["email", "Title pt-BR", "pt-BR"]])
      const recipients = [{ email: "bo@example.com" }]
      assert.deepStrictEqual(yield* shown({ notification_type: "email", recipients }), [["email", "Title de", "de"]])
    }).pipe(Effect.provide(notify)),
  )
})
