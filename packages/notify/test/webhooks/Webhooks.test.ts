import { eventually, expectNothingFor } from "@armoricore/testing/Eventually"
import { NodeHttpServer } from "@effect/platform-node"
import { FakeSendGrid, type WebhookCall } from "@armoricore/testing/fakes/FakeSendGrid"
import { FakeSes } from "@armoricore/testing/fakes/FakeSes"
import { FakeSns } from "@armoricore/testing/fakes/FakeSns"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpClient, HttpClientRequest, HttpRouter } from "effect/http"
import { Attachments } from "../../src/request/Attachments.ts"
import * as SendGrid from "../../src/providers/email/SendGrid.ts"
import * as Ses from "../../src/providers/email/Ses.ts"
import * as UnsubscribeLinks from "../../src/unsubscribe/UnsubscribeLinks.ts"
import * as SendGridWebhook from "../../src/webhooks/SendGridWebhook.ts"
import * as SesWebhook from "../../src/webhooks/SesWebhook.ts"
import {
  deliveryState,
  awaitFinal,
  awaitEvent,
  recordEvents,
  notificationState,
  ports,
  publishRequest,
  service,
  type ReceivedEvent,
} from "../support/NotifyHarness.ts"

const from = "no-reply@example.com"
const sendgrid = Layer.unwrap(
  Effect.map(FakeSendGrid, ({ apiKey, baseUrl }) => SendGrid.layer({ apiKey, baseUrl, from, reports: true })),
)
const ses = Layer.unwrap(
  Effect.map(FakeSes, ({ credentials, endpoint, region }) =>
    Ses.layer({ credentials, endpoint, region, from, reports: true }),
  ),
)
const webhooks = Layer.unwrap(
  Effect.gen(function* () {
    const { webhookKey } = yield* FakeSendGrid
    const { baseUrl, topicArn } = yield* FakeSns
    return Layer.mergeAll(
      SendGridWebhook.routes({ key: webhookKey }),
      SesWebhook.routes({
        topics: [topicArn],
        fetchText: (url) => Effect.promise(() => fetch(`${baseUrl}${url.pathname}${url.search}`).then((r) => r.text())),
      }),
      UnsubscribeLinks.routes,
    )
  }),
)

const installed = <E, R>(routes: Layer.Layer<never, E, R>) =>
  HttpRouter.serve(webhooks, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(service(Layer.provide(routes, Attachments.layer({ buckets: [] })))),
    Layer.provideMerge(
      Layer.mergeAll(ports, FakeSendGrid.layer, FakeSes.layer, FakeSns.layer, NodeHttpServer.layerTest),
    ),
  )

const call = Effect.fnUntraced(function* (path: string, { body, headers }: WebhookCall) {
  const response = yield* HttpClientRequest.post(path).pipe(
    HttpClientRequest.setHeaders(headers),
    HttpClientRequest.bodyText(body, headers["content-type"] ?? "text/plain"),
    HttpClient.execute,
  )
  return response.status
})

const mail = (email: string, more: object = {}) =>
  publishRequest({ notification_type: "email", recipients: [{ email }], ...more })

const of = (events: ReadonlyArray<ReceivedEvent>, type: string) =>
  events.filter(({ event_type }) => event_type === type)

describe("SendGrid's webhook", () => {
  const path = SendGridWebhook.path
  const event = (delivery_id: string, name: string, more: object = {}) => ({
    event: name,
    email: "anna@example.org",
    timestamp: 1_800_000_000,
    sg_message_id: "m-1.filter",
    delivery_id,
    ...more,
  })

  it.live("a repeated delivery report is published once and changes the state", () =>
    Effect.gen(function* () {
      const events = yield* recordEvents
      const fake = yield* FakeSendGrid
      const id = yield* mail("anna@example.org")
      yield* awaitFinal(id)
      const deliveryId = fake.accepted[0]?.deliveryId ?? ""
      const report = fake.webhook([event(deliveryId, "processed"), event(deliveryId, "delivered")])
      for (const _ of [1, 2, 3]) assert.strictEqual(yield* call(path, report), 204)
      const told = yield* awaitEvent(events, "notification.delivered")
      assert.deepNestedInclude(told.payload, { notification_id: id, "deliveries[0].status": "delivered" })
      assert.strictEqual(told.payload["delivered_at"], new Date(1_800_000_000_000).toISOString())
      assert.strictEqual(told.request_id, "r-1")
      assert.strictEqual((yield* notificationState(id))?.deliveries[0]?.summary?.status, "delivered")
      assert.strictEqual((yield* deliveryState(deliveryId))?.status, "delivered")
      assert.lengthOf(of(events, "notification.delivered"), 1)
      assert.lengthOf(of(events, "notification.sent"), 1)
    }).pipe(Effect.provide(installed(sendgrid))),
  )

  it.live("a bounce is final when reports arrive out of order, and suppresses the address", () =>
    Effect.gen(function* () {
      const events = yield* recordEvents
      const fake = yield* FakeSendGrid
      yield* awaitFinal(yield* mail("anna@example.org"))
      const deliveryId = fake.accepted[0]?.deliveryId ?? ""
      yield* call(path, fake.webhook([event(deliveryId, "bounce", { type: "bounce", reason: "500 unknown" })]))
      const bounced = yield* awaitEvent(events, "notification.bounced")
      assert.deepNestedInclude(bounced.payload, { "deliveries[0].reason": "500 unknown" })
      yield* call(path, fake.webhook([event(deliveryId, "delivered")]))
      yield* expectNothingFor("100 millis", () => of(events, "notification.delivered"))
      assert.strictEqual((yield* deliveryState(deliveryId))?.status, "bounced")
      const again = yield* awaitFinal(yield* mail("Anna@example.org"))
      assert.deepNestedInclude(again?.deliveries[0]?.summary, { status: "suppressed", reason: "bounced" })
    }).pipe(Effect.provide(installed(sendgrid))),
  )

  it.live("a report resolves an e-mail with an unknown outcome", () =>
    Effect.gen(function* () {
      const events = yield* recordEvents
      const fake = yield* FakeSendGrid
      const id = yield* mail("cut@example.org")
      yield* awaitEvent(events, "notification.failed")
      yield* call(path, fake.webhook([event(fake.accepted[0]?.deliveryId ?? "", "delivered")]))
      yield* awaitEvent(events, "notification.delivered")
      yield* awaitEvent(events, "notification.sent")
      const state = yield* notificationState(id)
      assert.strictEqual(state?.status, "sent")
      // The reason of the unknown outcome is removed.
      assert.isUndefined(state?.deliveries[0]?.summary?.reason)
    }).pipe(Effect.provide(installed(sendgrid))),
  )

  it.live("a report with a timestamp outside the calendar is published", () =>
    Effect.gen(function* () {
      const events = yield* recordEvents
      const fake = yield* FakeSendGrid
      yield* awaitFinal(yield* mail("anna@example.org"))
      const deliveryId = fake.accepted[0]?.deliveryId ?? ""
      assert.strictEqual(yield* call(path, fake.webhook([event(deliveryId, "delivered", { timestamp: 1e300 })])), 204)
      yield* awaitEvent(events, "notification.delivered")
    }).pipe(Effect.provide(installed(sendgrid))),
  )

  it.live("rejects calls without SendGrid's signature and drops reports of unknown mail", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSendGrid
      const report = fake.webhook([event("b0a1b2c3-0000-4000-8000-000000000000.email.0123456789abcdef", "delivered")])
      assert.strictEqual(yield* call(path, report), 204)
      assert.strictEqual(yield* call(path, { ...report, body: `${report.body} ` }), 401)
      const later = { ...report.headers, "x-twilio-email-event-webhook-timestamp": "1800000001" }
      assert.strictEqual(yield* call(path, { ...report, headers: later }), 401)
      assert.strictEqual(yield* call(path, { body: report.body, headers: {} }), 401)
      const odd = fake.webhook([null, 1, { event: "delivered" }, { event: "delivered", timestamp: "x" }] as never)
      assert.strictEqual(yield* call(path, odd), 204)
    }).pipe(Effect.provide(installed(sendgrid))),
  )
})

describe("SES's webhook", () => {
  const path = SesWebhook.path
  const headers = { "content-type": "text/plain; charset=UTF-8" }
  const report = (tag: string, eventType: string, more: object = {}) => ({
    eventType,
    mail: { messageId: "ses-1", timestamp: "2026-01-31T12:00:00.000Z", tags: { armoricore_delivery: [tag] } },
    ...more,
  })

  it.live("delivery, bounce and complaint reach the state, signed in version 1 and 2", () =>
    Effect.gen(function* () {
      const events = yield* recordEvents
      const mails = yield* FakeSes
      const sns = yield* FakeSns
      yield* awaitFinal(yield* mail("anna@example.org"))
      const tag = mails.accepted[0]?.tags["armoricore_delivery"] ?? ""
      const delivered = sns.notification(
        report(tag, "Delivery", { delivery: { timestamp: "2026-01-31T12:00:01.000Z" } }),
        {},
        "1",
      )
      assert.strictEqual(yield* call(path, { headers, body: delivered }), 204)
      const told = yield* awaitEvent(events, "notification.delivered")
      assert.deepNestedInclude(told.payload, {
        delivered_at: "2026-01-31T12:00:01.000Z",
        "deliveries[0].provider": "ses",
      })
      const bounce = report(tag, "Bounce", { bounce: { bounceType: "Permanent", bounceSubType: "General" } })
      for (const _ of [1, 2]) yield* call(path, { headers, body: sns.notification(bounce) })
      yield* awaitEvent(events, "notification.bounced")
      yield* call(path, { headers, body: sns.notification(report(tag, "Complaint", { complaint: {} })) })
      yield* eventually(
        () => of(events, "notification.bounced").length,
        (count) => count === 2,
      )
      const again = yield* awaitFinal(yield* mail("anna@example.org"))
      assert.deepNestedInclude(again?.deliveries[0]?.summary, { status: "suppressed", reason: "complained" })
    }).pipe(Effect.provide(installed(ses))),
  )

  it.live("confirms a subscription of an allowed topic, and calls only SNS", () =>
    Effect.gen(function* () {
      const sns = yield* FakeSns
      assert.strictEqual(yield* call(path, { headers, body: sns.confirmation() }), 204)
      assert.deepStrictEqual(sns.confirmed, ["/?Action=ConfirmSubscription&Token=fake-confirmation"])
      for (const SubscribeURL of ["http://169.254.169.254/", "https://sns.eu-west-1.amazonaws.com.evil.example/"]) {
        // Changed after it was signed.
        assert.strictEqual(yield* call(path, { headers, body: sns.confirmation({ SubscribeURL }) }), 401)
      }
      assert.lengthOf(sns.confirmed, 1)
    }).pipe(Effect.provide(installed(ses))),
  )

  it.live("rejects foreign certificates, foreign topics and changed messages", () =>
    Effect.gen(function* () {
      const sns = yield* FakeSns
      const message = report("x", "Delivery")
      for (const SigningCertURL of [
        "https://evil.example/cert.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/cert.pem",
        "https://sns.evil.amazonaws.com.evil.example/cert.pem",
        "http://sns.eu-west-1.amazonaws.com/cert.pem",
        "https://sns.eu-west-1.amazonaws.com/cert.txt",
        "nowhere",
      ]) {
        assert.strictEqual(yield* call(path, { headers, body: sns.notification(message, { SigningCertURL }) }), 401)
      }
      assert.strictEqual(
        yield* call(path, { headers, body: sns.notification(message, { TopicArn: "arn:aws:sns:x:1:y" }) }),
        401,
      )
      assert.strictEqual(yield* call(path, { headers, body: sns.notification(message, { Message: "{}" }) }), 401)
      assert.strictEqual(
        yield* call(path, { headers, body: sns.notification(message, { SignatureVersion: "3" }) }),
        401,
      )
      assert.strictEqual(yield* call(path, { headers, body: "no json" }), 400)
    }).pipe(Effect.provide(installed(ses))),
  )
})

describe("one-click unsubscribe", () => {
  it.live("GET never unsubscribes, POST does, and only from the category", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSendGrid
      yield* awaitFinal(yield* mail("anna@example.org", { category: "newsletter" }))
      const { headers = {} } = (fake.accepted[0]?.body ?? {}) as { headers?: Record<string, string> }
      const path = /<https:\/\/example\.com([^>]+)>/.exec(headers["List-Unsubscribe"] ?? "")?.[1] ?? ""
      const page = yield* HttpClient.get(path)
      assert.strictEqual(page.status, 200)
      assert.include(yield* page.text, "newsletter")
      assert.include(page.headers["content-security-policy"], "default-src 'none'")
      const sentTo = Effect.fnUntraced(function* (more: object) {
        return (yield* awaitFinal(yield* mail("anna@example.org", more)))?.deliveries[0]?.summary?.status
      })
      assert.strictEqual(yield* sentTo({ category: "newsletter" }), "sent")
      const form = { "content-type": "application/x-www-form-urlencoded" }
      for (const _ of [1, 2]) {
        assert.strictEqual(yield* call(path, { headers: form, body: "List-Unsubscribe=One-Click" }), 200)
      }
      assert.strictEqual(yield* sentTo({ category: "newsletter" }), "suppressed")
      assert.strictEqual(yield* sentTo({ category: "receipts" }), "sent")
      assert.strictEqual(yield* sentTo({}), "sent")
      assert.strictEqual(yield* call(`${path}x`, { headers: form, body: "" }), 404)
      assert.strictEqual(
        yield* call(`${UnsubscribeLinks.path}/${"A".repeat(60)}.AAAA`, { headers: form, body: "" }),
        404,
      )
    }).pipe(Effect.provide(installed(sendgrid))),
  )
})
