/** Preferences, quiet hours, `send_at` and cancellation, from the request to the provider. */
import { event } from "@armoricore/bus/Address"
import { deriveId } from "@armoricore/domain/DeterministicId"
import { EventBus } from "@armoricore/bus/EventBus"
import { SuppressionList } from "@armoricore/state/SuppressionList"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { assert, describe, it } from "@effect/vitest"
import { ScheduledWorkInterval } from "@armoricore/worker/ScheduledWork"
import { eventually, expectNothingFor } from "@armoricore/testing/Eventually"
import { Clock, Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { HttpClient, HttpClientRequest, HttpRouter } from "effect/http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { CategoryRules } from "../../src/preferences/PreferenceRules.ts"
import * as PreferencePage from "../../src/preferences/PreferencePage.ts"
import { UnsubscribeLinks } from "../../src/unsubscribe/UnsubscribeLinks.ts"
import { common, fastTimings, notificationState, ports, publishRequest, service } from "../support/NotifyHarness.ts"
import * as RecordingProvider from "../support/RecordingProvider.ts"

const { layer: recorder, sent } = RecordingProvider.make()
const rules = Layer.succeed(CategoryRules, { critical: new Set(["security"]), listed: ["orders"] })
const notify = service(recorder, {
  // regression: work waited for the next look, up to 15 s. Here it would wait until tomorrow.
  rules: Layer.mergeAll(fastTimings, rules, Layer.succeed(ScheduledWorkInterval, Duration.days(1))),
}).pipe(Layer.provideMerge(Layer.provideMerge(UserPreferences.layer, ports)))

const push = (fields: object = {}) => publishRequest({ recipients: [{ fcm_token: "fcm-token-1" }], ...fields })
const mail = (fields: object = {}) =>
  publishRequest({ notification_type: "email", recipients: [{ email: "anna@example.org" }], ...fields })
const inMillis = (millis: number) => Effect.map(Clock.currentTimeMillis, (now) => new Date(now + millis).toISOString())

const tick = TestClock.adjust("1 second")
const isFinal = (id: string) =>
  eventually(Effect.andThen(tick, notificationState(id)), (state) => state !== undefined && state.status !== "pending")
const isStored = (id: string) => eventually(Effect.andThen(tick, notificationState(id)), (state) => state !== undefined)

const cancel = Effect.fnUntraced(function* (payload: object) {
  const bus = yield* EventBus
  const event_id = crypto.randomUUID()
  const timestamp = yield* inMillis(0)
  const body = { event_type: "notification.cancelled", event_id, timestamp, source: "php-backend", payload }
  yield* bus.publish({
    address: event("notification.cancelled"),
    id: event_id,
    body: new TextEncoder().encode(JSON.stringify(body)),
  })
})

describe("notifications under preferences", () => {
  it.effect("a channel that is off sends nothing, except in a critical category", () =>
    Effect.gen(function* () {
      const preferences = yield* UserPreferences
      yield* preferences.put("u", { categories: { "*": { push: false }, orders: { push: true } } })
      const state = yield* isFinal(yield* push({ category: "newsletter" }))
      assert.deepNestedInclude(state, { "deliveries[0].summary.reason": "preference" })
      assert.strictEqual((yield* isFinal(yield* push({ category: "orders" })))?.status, "sent")
      assert.strictEqual((yield* isFinal(yield* push({ category: "security" })))?.status, "sent")
      assert.strictEqual((yield* isFinal(yield* mail({ category: "newsletter" })))?.status, "sent")
      assert.strictEqual(sent.length, 3)
    }).pipe(Effect.provide(Layer.fresh(notify))),
  )

  it.effect("quiet hours delay a push to their end, and preferences count again then", () =>
    Effect.gen(function* () {
      const preferences = yield* UserPreferences
      // Virtual time begins at 00:00 UTC.
      const quiet_hours = { from: "23:00", to: "01:00", time_zone: "UTC" }
      yield* preferences.put("u", { categories: {}, quiet_hours })
      const id = yield* push({ category: "orders" })
      const other = yield* push({ category: "newsletter" })
      const urgent = yield* push({ category: "security" })
      assert.strictEqual((yield* isFinal(urgent))?.status, "sent")
      assert.strictEqual((yield* isFinal(yield* mail()))?.status, "sent")
      yield* isStored(other)
      yield* preferences.put("u", { categories: { newsletter: { push: false } }, quiet_hours })
      yield* TestClock.setTime(Duration.toMillis("58 minutes"))
      assert.strictEqual((yield* isStored(id))?.status, "pending")
      yield* TestClock.setTime(Duration.toMillis("1 hour"))
      assert.strictEqual((yield* isFinal(id))?.status, "sent")
      assert.deepNestedInclude(yield* isFinal(other), { "deliveries[0].summary.reason": "preference" })
    }).pipe(Effect.provide(Layer.fresh(notify))),
  )

  it.effect("send_at delays, and a cancellation ends what was not sent", () =>
    Effect.gen(function* () {
      const later = yield* inMillis(600_000)
      const id = yield* push({ send_at: later })
      yield* mail({ send_at: later, idempotency_key: "k" })
      yield* isStored(id)
      yield* cancel({ idempotency_key: "k" })
      const state = yield* isFinal(deriveId("notification", "php-backend", "k"))
      assert.deepNestedInclude(state, {
        "deliveries[0].summary.status": "suppressed",
        "deliveries[0].summary.reason": "cancelled",
      })
      assert.strictEqual(sent.length, 0)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* isFinal(id))?.status, "sent")
      yield* expectNothingFor(
        "100 millis",
        Effect.map(tick, () => sent.length > 1),
      )
    }).pipe(Effect.provide(Layer.fresh(notify))),
  )

  it.live("the page behind the link of a mail stores the choice, and ends an unsubscription", () =>
    Effect.gen(function* () {
      const preferences = yield* UserPreferences
      const suppressions = yield* SuppressionList
      yield* suppressions.add(
        { address: "anna@example.org", category: "newsletter" },
        { reason: "unsubscribed", source: "reader" },
      )
      const links = yield* UnsubscribeLinks
      const url = yield* links.preferencesUrlFor("u|1", { channel: "email", address: "anna@example.org" }, "newsletter")
      const path = new URL(url ?? "").pathname
      const get = Effect.flatMap(HttpClient.get(path), (response) => response.text)
      const post = (fields: ReadonlyArray<readonly [string, string]>) =>
        Effect.flatMap(
          HttpClient.execute(
            HttpClientRequest.post(path).pipe(
              HttpClientRequest.bodyText(
                new URLSearchParams(fields.map(([name, value]) => [name, value])).toString(),
                "application/x-www-form-urlencoded",
              ),
            ),
          ),
          (response) => response.text,
        )
      const first = yield* get
      assert.notInclude(first, "SMS")
      yield* (yield* UserDevices).register("u|1", { device_id: "phone", platform: "sms", token: "+33612345678" })
      assert.match(yield* get, /value="orders.sms"[^>]*checked/)
      assert.match(first, /value="orders.email"[^>]*checked/)
      assert.notMatch(first, /value="newsletter.email"[^>]*checked/)
      const shown = ["orders.email", "orders.push", "newsletter.email", "newsletter.push", "security.email"]
      const answer = yield* post([
        ...shown.map((field) => ["shown", field] as const),
        ["on", "newsletter.email"],
        ["on", "orders.email"],
      ])
      assert.include(answer, "Your choice is saved")
      assert.match(answer, /value="newsletter.email"[^>]*checked/)
      assert.deepStrictEqual((yield* preferences.get("u|1")).categories, {
        newsletter: { email: true, push: false },
        orders: { email: true, push: false },
      })
      const { entries } = yield* suppressions.list({ address: "anna@example.org", limit: 9 })
      assert.deepStrictEqual(entries, [])
      // In the language of the reader, else of the browser.
      const german = yield* Effect.flatMap(
        HttpClient.execute(
          HttpClientRequest.setHeader(HttpClientRequest.get(path), "accept-language", "xx, de-AT;q=0.9"),
        ),
        (response) => response.text,
      )
      assert.include(german, '<html lang="de">')
      assert.include(german, "Speichern")
      yield* preferences.update("u|1", (current) => ({ ...current, locale: "fr_CA" }))
      assert.include(yield* get, "Enregistrer")
      const forged = yield* HttpClient.get(path.replace(/\.(.)/, (_, first) => (first === "A" ? ".B" : ".A")))
      assert.strictEqual(forged.status, 404)
    }).pipe(
      Effect.provide(
        HttpRouter.serve(PreferencePage.routes, { disableLogger: true, disableListenLog: true }).pipe(
          Layer.provideMerge(common),
          Layer.provideMerge(Layer.mergeAll(UserPreferences.layer, UserDevices.layer, SuppressionList.layer)),
          Layer.provide(rules),
          Layer.provideMerge(Layer.fresh(ports)),
          Layer.provideMerge(NodeHttpServer.layerTest),
        ),
      ),
    ),
  )
})
