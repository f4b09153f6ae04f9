import { EventBus } from "@armoricore/bus/EventBus"
import { SuppressionList } from "@armoricore/state/SuppressionList"
import { eventually, expectNothingFor } from "@armoricore/testing/Eventually"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { FakeSendGrid, type WebhookCall } from "@armoricore/testing/fakes/FakeSendGrid"
import { FakeSes } from "@armoricore/testing/fakes/FakeSes"
import { FakeSns } from "@armoricore/testing/fakes/FakeSns"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpClient, HttpClientRequest, HttpRouter } from "effect/http"
import { hash } from "node:crypto"
import { DeliveryReports } from "../../src/delivery/DeliveryReports.ts"
import { Attachments } from "../../src/request/Attachments.ts"
import { Notifications } from "../../src/request/Notifications.ts"
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
  until,
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
    Layer.provideMerge(SuppressionList.layer),
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

/** A bounce as SES writes it. */
const bounceOf = (bounceType: string, bounceSubType: string, status?: string, action = "failed") => ({
  bounce: {
    bounceType,
    bounceSubType,
    bouncedRecipients: [
      {
        emailAddress: "reader@example.org",
        ...(status === undefined ? {} : { action, status, diagnosticCode: "smtp; 550 no such user" }),
      },
    ],
  },
})

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
      const email = "cut@example.org"
      yield* call(path, fake.webhook([event(fake.accepted[0]?.deliveryId ?? "", "delivered", { email })]))
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

  it.live("a bounce suppresses the address only if its status is about the address, and stores the evidence", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSendGrid
      const suppressed = yield* SuppressionList
      for (const [index, status, type, expected] of [
        [0, "5.1.1", "bounce", 1],
        [1, "5.7.1", "bounce", 0],
        [2, "5.1.1", "blocked", 0],
        [3, "", "bounce", 1],
      ] as const) {
        const email = `reader${index}@example.org`
        yield* awaitFinal(yield* mail(email))
        const deliveryId = fake.accepted.at(-1)?.deliveryId ?? ""
        const bounce = event(deliveryId, "bounce", { email, type, status, reason: "550 as the server said" })
        yield* call(path, fake.webhook([bounce]))
        yield* until(deliveryState(deliveryId), (found) => found?.status === "bounced")
        const { entries } = yield* suppressed.list({ address: email, limit: 1 })
        assert.lengthOf(entries, expected, `${status} ${type}`)
        if (index === 0) assert.strictEqual(entries[0]?.evidence, "bounce bounce 5.1.1 550 as the server said")
      }
    }).pipe(Effect.provide(installed(sendgrid))),
  )

  // regression: 2,500 reports were published one after another
  it.live("the reports of one call are published concurrently", () => {
    let [running, most] = [0, 0]
    const slowBus = Layer.effect(
      EventBus,
      Effect.map(EventBus, (bus) => ({
        ...bus,
        publish: (message: Parameters<typeof bus.publish>[0]) =>
          message.address.channel === "work"
            ? Effect.suspend(() => {
                most = Math.max(most, ++running)
                return Effect.ensuring(
                  Effect.delay(bus.publish(message), "5 millis"),
                  Effect.sync(() => running--),
                )
              })
            : bus.publish(message),
      })),
    )
    return Effect.gen(function* () {
      const fake = yield* FakeSendGrid
      const reports = yield* DeliveryReports
      yield* awaitFinal(yield* mail("anna@example.org"))
      const deliveryId = fake.accepted[0]?.deliveryId ?? ""
      const report = { delivery_id: deliveryId, status: "delivered", provider: "sendgrid", at: 1 } as const
      yield* reports.enqueue(Array.from({ length: 200 }, (_, at) => ({ key: `${at}`, report })))
      assert.isAtLeast(most, 32)
    }).pipe(
      Effect.provide(Layer.fresh(DeliveryReports.layer).pipe(Layer.provide([slowBus, Notifications.layer]))),
      Effect.provide(installed(sendgrid)),
    )
  })

  it.live("rejects calls without SendGrid's signature and drops reports of unknown mail", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSendGrid
      const report = fake.webhook([
        event("b0a1b2c3-0000-4000-8000-000000000000.email.0123456789abcdef0123456789abcdef", "delivered"),
      ])
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

  // regression: one recipient computed the delivery id of another and suppressed that address through an own topic
  it.live(
    "refuses a forged bounce: from a foreign topic, with a computed delivery id, or with that of another address",
    () =>
      Effect.gen(function* () {
        const mails = yield* FakeSes
        const sns = yield* FakeSns
        const suppressed = yield* SuppressionList
        const id = yield* publishRequest({
          notification_type: "email",
          recipients: [{ email: "anna@example.org" }, { email: "eve@example.org" }],
        })
        yield* awaitFinal(id)
        const bounce = (tag: string, more: object = {}) =>
          report(tag, "Bounce", { bounce: { bounceType: "Permanent", bounceSubType: "General", ...more } })
        const tagOf = (address: string) =>
          mails.accepted.find(({ to }) => to === address)?.tags["armoricore_delivery"] ?? ""
        const foreign = { TopicArn: "arn:aws:sns:eu-west-1:999999999999:mine" }
        const forged = sns.foreignNotification(bounce(tagOf("anna@example.org")), foreign)
        assert.strictEqual(yield* call(path, { headers, body: forged }), 403)
        assert.strictEqual(yield* call(path, { headers, body: sns.foreignConfirmation(foreign) }), 403)
        assert.isEmpty(sns.confirmed)
        const digest = hash("sha256", "anna@example.org")
        for (const computed of [digest.slice(0, 16), digest.slice(0, 32)]) {
          const body = sns.notification(bounce(`${id}_email_${computed}`))
          assert.strictEqual(yield* call(path, { headers, body }), 204)
        }
        // The id of an own mail does not suppress the address of another recipient.
        const recipients = [{ emailAddress: "anna@example.org", action: "failed", status: "5.1.1" }]
        const own = sns.notification(bounce(tagOf("eve@example.org"), { bouncedRecipients: recipients }))
        assert.strictEqual(yield* call(path, { headers, body: own }), 204)
        yield* expectNothingFor(
          "300 millis",
          Effect.map(suppressed.list({ limit: 10 }), ({ entries }) => entries),
        )
      }).pipe(Effect.provide(installed(ses))),
  )

  const kinds: ReadonlyArray<
    readonly [name: string, eventType: string, more: object, status: string, suppressed: string | undefined]
  > = [
    ["not-spam", "Complaint", { complaint: { complaintFeedbackType: "not-spam" } }, "sent", undefined],
    ["auth-failure", "Complaint", { complaint: { complaintFeedbackType: "auth-failure" } }, "sent", undefined],
    ["virus", "Complaint", { complaint: { complaintFeedbackType: "virus" } }, "sent", undefined],
    ["abuse", "Complaint", { complaint: { complaintFeedbackType: "abuse" } }, "complained", "complained"],
    ["fraud", "Complaint", { complaint: { complaintFeedbackType: "fraud" } }, "complained", "complained"],
    ["without a type", "Complaint", { complaint: { complaintFeedbackType: null } }, "complained", "complained"],
    [
      "OnAccountSuppressionList",
      "Complaint",
      { complaint: { complaintSubType: "OnAccountSuppressionList" } },
      "bounced",
      undefined,
    ],
    ["a list of SES", "Bounce", bounceOf("Permanent", "OnAccountSuppressionList", "5.1.1"), "bounced", undefined],
    ["Transient with 5.1.1", "Bounce", bounceOf("Transient", "General", "5.1.1"), "bounced", "bounced"],
    [
      "Transient with 5.1.1, delayed",
      "Bounce",
      bounceOf("Transient", "General", "5.1.1", "delayed"),
      "sent",
      undefined,
    ],
    ["Transient with a full mailbox", "Bounce", bounceOf("Transient", "MailboxFull", "5.2.2"), "bounced", undefined],
    ["Permanent with 5.0.0", "Bounce", bounceOf("Permanent", "General", "5.0.0"), "bounced", "bounced"],
    ["Permanent without a status", "Bounce", bounceOf("Permanent", "NoEmail"), "bounced", "bounced"],
    ["Permanent with 5.7.1", "Bounce", bounceOf("Permanent", "General", "5.7.1"), "bounced", undefined],
    ["Permanent with 4.4.7", "Bounce", bounceOf("Permanent", "General", "4.4.7"), "bounced", undefined],
    ["Undetermined", "Bounce", bounceOf("Undetermined", "Undetermined"), "bounced", undefined],
  ]

  it.live("each kind of bounce and complaint has its state and its suppression", () =>
    Effect.gen(function* () {
      const mails = yield* FakeSes
      const sns = yield* FakeSns
      const suppressed = yield* SuppressionList
      for (const [index, [name, eventType, more, status, reason]] of kinds.entries()) {
        const address = `reader${index}@example.org`
        const id = yield* mail(address)
        yield* awaitFinal(id)
        const tag = mails.accepted.at(-1)?.tags["armoricore_delivery"] ?? ""
        const text = JSON.stringify(report(tag, eventType, more)).replaceAll("reader@", `reader${index}@`)
        assert.strictEqual(yield* call(path, { headers, body: sns.notification(JSON.parse(text)) }), 204)
        const deliveryId = tag.replaceAll("_", ".")
        if (status === "sent") yield* Effect.sleep("50 millis")
        const state = yield* until(deliveryState(deliveryId), (found) => found?.status === status)
        assert.strictEqual(state?.status, status, name)
        const { entries } = yield* suppressed.list({ address, limit: 10 })
        assert.deepStrictEqual(
          entries.map((entry) => [entry.reason, entry.source, entry.delivery_id]),
          reason === undefined ? [] : [[reason, "ses", deliveryId]],
          name,
        )
      }
      const { entries } = yield* suppressed.list({ address: "reader8@example.org", limit: 1 })
      assert.strictEqual(entries[0]?.evidence, "Transient General 5.1.1 smtp; 550 no such user")
    }).pipe(Effect.provide(installed(ses))),
  )

  it.live("a bounce of a copy suppresses the copy's address and does not change the delivery", () =>
    Effect.gen(function* () {
      const mails = yield* FakeSes
      const sns = yield* FakeSns
      const suppressed = yield* SuppressionList
      yield* awaitFinal(yield* mail("anna@example.org", { email: { cc: ["reader@example.org"] } }))
      const tag = mails.accepted[0]?.tags["armoricore_delivery"] ?? ""
      const body = sns.notification(report(tag, "Bounce", bounceOf("Permanent", "General", "5.1.1")))
      assert.strictEqual(yield* call(path, { headers, body }), 204)
      yield* until(suppressed.list({ address: "reader@example.org", limit: 1 }), ({ entries }) => entries.length === 1)
      assert.strictEqual((yield* deliveryState(tag.replaceAll("_", ".")))?.status, "sent")
      assert.isEmpty((yield* suppressed.list({ address: "anna@example.org", limit: 1 })).entries)
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
