import { eventually, expectNothingFor } from "@armoricore/testing/Eventually"
import { FakeSendGrid } from "@armoricore/testing/fakes/FakeSendGrid"
import { FakeSes } from "@armoricore/testing/fakes/FakeSes"
import { FakeSmtp } from "@armoricore/testing/fakes/FakeSmtp"
import * as Collection from "@armoricore/state/Collection"
import { aliasKeyOf, notificationAliases } from "@armoricore/state/NotificationStates"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { DeadLetters } from "@armoricore/worker"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted, Schema } from "effect"
import { Attachments } from "../../../src/request/Attachments.ts"
import { DeliveryPolicy } from "../../../src/delivery/DeliveryPolicy.ts"
import { html } from "../../../src/request/Html.ts"
import { ProviderRegistry } from "../../../src/provider/Provider.ts"
import * as SendGrid from "../../../src/providers/email/SendGrid.ts"
import * as Ses from "../../../src/providers/email/Ses.ts"
import * as Smtp from "../../../src/providers/email/Smtp.ts"
import * as Templates from "../../../src/request/Templates.ts"
import {
  deliveryState,
  awaitFinal,
  awaitEvent,
  fastMailRetry,
  recordEvents,
  notificationState,
  policy,
  ports,
  publishRequest,
  requestEvent,
  publish,
  service,
} from "../../support/NotifyHarness.ts"

const from = "Example <no-reply@example.com>"
const smtp = Layer.unwrap(Effect.map(FakeSmtp, ({ url }) => Smtp.layer({ url, from })))
const sendgrid = Layer.unwrap(
  Effect.map(FakeSendGrid, ({ apiKey, baseUrl }) => SendGrid.layer({ apiKey, baseUrl, from, reports: true })),
)
const ses = Layer.unwrap(
  Effect.map(FakeSes, ({ credentials, endpoint, region }) =>
    Ses.layer({ credentials, endpoint, region, from, reports: true }),
  ),
)
const fakes = Layer.mergeAll(FakeSmtp.layer, FakeSendGrid.layer, FakeSes.layer)
const attachments = Attachments.layer({ buckets: ["media"] })

const welcome = Templates.make(
  "welcome",
  Schema.Struct({ name: Schema.String, count: Schema.Int }),
  ({ count, name }) => ({
    title: `Welcome, ${name}`,
    text: `${name}, you have ${count} messages.`,
    html: html`<p>Dear <b>${name}</b>, you have ${count} messages.</p>`,
  }),
)

const installed = <E, R>(routes: Layer.Layer<never, E, R>, change: Partial<typeof DeliveryPolicy.Service> = {}) =>
  service(Layer.provide(routes, attachments), { templates: [welcome] }).pipe(
    Layer.provide(policy({ ...fastMailRetry, ...change })),
    Layer.provideMerge(Layer.merge(ports, fakes)),
  )

const mail = (email: string, more: object = {}) =>
  publishRequest({ notification_type: "email", recipients: [{ email }], ...more })

const outcome = Effect.fnUntraced(function* (email: string) {
  const state = yield* awaitFinal(yield* mail(email))
  const [planned] = state?.deliveries ?? []
  const attempts = (yield* deliveryState(planned?.delivery_id ?? ""))?.attempt
  const { provider, reason, status } = planned?.summary ?? {}
  return { status, reason, attempts, provider }
})

describe("SMTP", () => {
  it.live("a mail arrives as HTML and text, with the delivery's own Message-ID", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSmtp
      const id = yield* mail("anna@example.org", { title: "Grüße", body: "1 < 2\n\n<script>alert(1)</script>" })
      const state = yield* awaitFinal(id)
      assert.strictEqual(state?.status, "sent")
      const [received] = fake.received
      assert.strictEqual(received?.to, "anna@example.org")
      assert.strictEqual(received?.from, "no-reply@example.com")
      assert.strictEqual(received?.messageId, `<${state?.deliveries[0]?.delivery_id}@example.com>`)
      assert.include(received?.raw, "From: Example <no-reply@example.com>")
      assert.include(received?.raw, "1 < 2")
      assert.include(received?.raw, "&lt;script&gt;alert(1)&lt;/script&gt;")
      assert.notInclude(received?.raw, "List-Unsubscribe")
    }).pipe(Effect.provide(installed(smtp))),
  )

  it.live("every class of response has its documented result", () =>
    Effect.gen(function* () {
      const provider = "smtp"
      assert.deepStrictEqual(yield* outcome("busy@example.org"), {
        status: "sent",
        reason: undefined,
        attempts: 2,
        provider,
      })
      assert.deepStrictEqual(yield* outcome("shutdown@example.org"), {
        status: "sent",
        reason: undefined,
        attempts: 2,
        provider,
      })
      assert.deepStrictEqual(yield* outcome("early@example.org"), {
        status: "sent",
        reason: undefined,
        attempts: 2,
        provider,
      })
      assert.deepStrictEqual(yield* outcome("refused@example.org"), {
        status: "failed",
        reason: "refused",
        attempts: 1,
        provider,
      })
      assert.deepStrictEqual(yield* outcome("nobody@example.org"), {
        status: "failed",
        reason: "unknown_address",
        attempts: 1,
        provider,
      })
      // An address that is dead is not tried again.
      assert.deepInclude(yield* outcome("nobody@example.org"), { status: "suppressed", reason: "bounced", attempts: 0 })
      const fake = yield* FakeSmtp
      assert.lengthOf(
        fake.attemptedRecipients.filter((address) => address.startsWith("nobody")),
        1,
      )
    }).pipe(Effect.provide(installed(smtp))),
  )

  it.live(
    "MAIL_RESEND_UNKNOWN=stop: a connection lost after the message leaves the delivery unknown; it is not sent again",
    () =>
      Effect.gen(function* () {
        const events = yield* recordEvents
        const fake = yield* FakeSmtp
        assert.deepStrictEqual(yield* outcome("drop@example.org"), {
          status: "unknown",
          reason: "outcome_unknown",
          attempts: 1,
          provider: "smtp",
        })
        const failed = yield* awaitEvent(events, "notification.failed")
        assert.deepNestedInclude(failed.payload, { "error.code": "outcome_unknown", "deliveries[0].status": "unknown" })
        assert.lengthOf(fake.received, 1)
      }).pipe(Effect.provide(installed(smtp))),
  )

  it.live("MAIL_RESEND_UNKNOWN=resend: the mail is sent again under the same Message-ID", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSmtp
      yield* mail("drop@example.org")
      const received = yield* eventually(
        () => fake.received,
        (mails) => mails.length >= 2,
      )
      assert.strictEqual(received[0]?.messageId, received[1]?.messageId)
    }).pipe(Effect.provide(installed(smtp, { resendUnknownMail: true }))),
  )

  it.live("a rejected login pauses the provider; the mail is sent once the login works", () =>
    Effect.gen(function* () {
      const events = yield* recordEvents
      const fake = yield* FakeSmtp
      fake.acceptLogins = false
      const id = yield* mail("anna@example.org")
      yield* expectNothingFor("1500 millis", () => events)
      fake.acceptLogins = true
      assert.strictEqual((yield* awaitFinal(id))?.status, "sent")
      assert.isEmpty(yield* (yield* DeadLetters).list({ limit: 10 }))
    }).pipe(Effect.provide(installed(smtp))),
  )
})

describe("SendGrid", () => {
  it.live("every class of response has its documented result", () =>
    Effect.gen(function* () {
      const provider = "sendgrid"
      const sent = { status: "sent", reason: undefined, provider } as const
      assert.deepStrictEqual(yield* outcome("anna@example.org"), { ...sent, attempts: 1 })
      assert.deepStrictEqual(yield* outcome("busy@example.org"), { ...sent, attempts: 2 })
      assert.deepStrictEqual(yield* outcome("throttled@example.org"), { ...sent, attempts: 2 })
      const failed = { status: "failed", attempts: 1, provider } as const
      assert.deepStrictEqual(yield* outcome("malformed@example.org"), { ...failed, reason: "refused" })
      assert.deepStrictEqual(yield* outcome("large@example.org"), { ...failed, reason: "too_large" })
      assert.deepInclude(yield* outcome("cut@example.org"), {
        status: "unknown",
        reason: "outcome_unknown",
        attempts: 1,
      })
      const fake = yield* FakeSendGrid
      const [accepted] = fake.accepted
      assert.deepNestedInclude(accepted?.body ?? {}, { "from.email": "no-reply@example.com", "from.name": "Example" })
    }).pipe(Effect.provide(installed(sendgrid))),
  )

  it.live("a rejected key pauses the provider", () =>
    Effect.gen(function* () {
      const events = yield* recordEvents
      const fake = yield* FakeSendGrid
      yield* mail("unauthorized@example.org")
      yield* eventually(
        () => fake.attemptedRecipients.length,
        (count) => count >= 6,
      )
      assert.isEmpty(events)
    }).pipe(Effect.provide(installed(sendgrid))),
  )
})

describe("SES", () => {
  it.live("every class of response has its documented result", () =>
    Effect.gen(function* () {
      const provider = "ses"
      const sent = { status: "sent", reason: undefined, provider } as const
      assert.deepStrictEqual(yield* outcome("anna@example.org"), { ...sent, attempts: 1 })
      assert.deepStrictEqual(yield* outcome("busy@example.org"), { ...sent, attempts: 2 })
      assert.deepStrictEqual(yield* outcome("throttled@example.org"), { ...sent, attempts: 2 })
      assert.deepStrictEqual(yield* outcome("rejected@example.org"), {
        status: "failed",
        attempts: 1,
        provider,
        reason: "refused",
      })
      assert.deepInclude(yield* outcome("cut@example.org"), {
        status: "unknown",
        reason: "outcome_unknown",
        attempts: 1,
      })
      const fake = yield* FakeSes
      assert.include(fake.accepted[0]?.raw, "Subject: Hello")
      assert.match(fake.accepted[0]?.tags["armoricore_delivery"] ?? "", /^[0-9a-f-]{36}_email_[0-9a-f]{32}$/)
    }).pipe(Effect.provide(installed(ses))),
  )

  it.live("mail waits while SES has not verified the sender", () =>
    Effect.gen(function* () {
      // regression: all such mail failed
      const events = yield* recordEvents
      const fake = yield* FakeSes
      fake.senderVerified = false
      const id = yield* mail("anna@example.org")
      yield* eventually(
        () => fake.attemptedRecipients.length,
        (count) => count >= 6,
      )
      assert.isEmpty(events)
      fake.senderVerified = true
      assert.strictEqual((yield* awaitFinal(id))?.status, "sent")
      // An address that the sandbox does not allow fails alone.
      assert.deepInclude(yield* outcome("sandbox@example.org"), { status: "failed", reason: "refused" })
    }).pipe(Effect.provide(installed(ses))),
  )

  it.live(
    "an exhausted quota waits for an hour and a paused account pauses the provider; neither uses up attempts",
    () =>
      Effect.gen(function* () {
        const events = yield* recordEvents
        const fake = yield* FakeSes
        yield* mail("quota@example.org")
        yield* mail("paused@example.org")
        yield* eventually(
          () => fake.attemptedRecipients.filter((address) => address.startsWith("paused")).length,
          (count) => count >= 6,
        )
        assert.isEmpty(events)
        assert.lengthOf(
          fake.attemptedRecipients.filter((address) => address.startsWith("quota")),
          1,
        )
      }).pipe(Effect.provide(installed(ses))),
  )
})

describe("the order of e-mail providers", () => {
  it.live("the next provider takes over during an outage of the first, and never after an unknown outcome", () =>
    Effect.gen(function* () {
      const first = yield* FakeSendGrid
      const second = yield* FakeSes
      first.unavailable = true
      assert.deepInclude(yield* outcome("anna@example.org"), { status: "sent", provider: "ses" })
      first.unavailable = false
      // Longer than the circuit of the first provider can be open.
      yield* Effect.sleep("300 millis")
      assert.deepInclude(yield* outcome("bert@example.org"), { status: "sent", provider: "sendgrid" })
      assert.deepInclude(yield* outcome("cut@example.org"), { status: "unknown", provider: "sendgrid" })
      assert.deepInclude(yield* outcome("malformed@example.org"), { status: "failed", provider: "sendgrid" })
      assert.deepStrictEqual(
        second.accepted.map(({ to }) => to),
        ["anna@example.org"],
      )
    }).pipe(
      Effect.provide(
        service(Layer.provide(Layer.merge(ses, sendgrid), attachments), { order: ["sendgrid", "ses"] }).pipe(
          Layer.provideMerge(Layer.merge(ports, fakes)),
        ),
      ),
    ),
  )
})

describe("content", () => {
  it.live("a template is filled and escaped, and the mail has one-click unsubscribe headers", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSendGrid
      yield* awaitFinal(
        yield* mail("anna@example.org", {
          template: "welcome",
          context: { name: "<Anna> & co", count: 3 },
          category: "newsletter",
        }),
      )
      const body = fake.accepted[0]?.body as {
        subject: string
        content: ReadonlyArray<{ value: string }>
        headers: Record<string, string>
      }
      assert.strictEqual(body.subject, "Welcome, <Anna> & co")
      assert.strictEqual(body.content[0]?.value, "<Anna> & co, you have 3 messages.")
      assert.include(body.content[1]?.value, "<b>&lt;Anna&gt; &amp; co</b>")
      assert.match(body.headers["List-Unsubscribe"] ?? "", /^<https:\/\/example\.com\/v1\/unsubscribe\/[\w.-]+>$/)
      assert.strictEqual(body.headers["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click")
      assert.notInclude(body.headers["List-Unsubscribe"], "anna")
    }).pipe(Effect.provide(installed(sendgrid))),
  )

  it.live(
    "attachments come from the object storage; a missing or foreign object fails the delivery with a reason",
    () =>
      Effect.gen(function* () {
        const fake = yield* FakeSmtp
        const storage = yield* ObjectStorage
        yield* storage.put({ bucket: "media", key: "a/report.txt" }, Buffer.from("figures"), {
          contentType: "text/plain",
        })
        const attach = (file_path: string) =>
          mail("anna@example.org", { attachments: [{ file_path, filename: "re\r\nport.txt" }] })
        yield* awaitFinal(yield* attach("s3://media/a/report.txt"))
        assert.include(fake.received[0]?.raw, "filename=re_port.txt")
        assert.include(fake.received[0]?.raw, Buffer.from("figures").toString("base64"))
        yield* storage.put({ bucket: "media", key: "large" }, Buffer.alloc(10_000_001), { contentType: "text/plain" })
        for (const [path, reason] of [
          ["s3://media/large", "attachments_too_large"],
          ["s3://media/none", "attachment_missing"],
          ["s3://secrets/a", "attachment_bucket"],
        ] as const) {
          const state = yield* awaitFinal(yield* attach(path))
          assert.strictEqual(state?.deliveries[0]?.summary?.reason, reason)
        }
      }).pipe(Effect.provide(installed(smtp))),
  )

  it.live("an invalid attachment type adds no header, and the mail is sent", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSendGrid
      const storage = yield* ObjectStorage
      yield* storage.put({ bucket: "media", key: "a" }, Buffer.from("figures"), { contentType: "text/plain" })
      const typesOf = Effect.fnUntraced(function* (content_type: string) {
        yield* awaitFinal(
          yield* mail("anna@example.org", { attachments: [{ file_path: "s3://media/a", content_type }] }),
        )
        return fake.accepted.at(-1)?.body
      })
      assert.deepNestedInclude(yield* typesOf("text/plain\r\nX-Evil: 1"), {
        "attachments[0].type": "application/octet-stream",
      })
      assert.deepNestedInclude(yield* typesOf("text/plain; charset=utf-8"), {
        "attachments[0].type": "text/plain; charset=utf-8",
      })
    }).pipe(Effect.provide(installed(sendgrid))),
  )

  it.live("invalid input ends in a failed state with a reason", () =>
    Effect.gen(function* () {
      const failure = Effect.fnUntraced(function* (payload: object) {
        const events = yield* recordEvents
        const state = yield* awaitFinal(yield* publish(requestEvent(payload)))
        const told = yield* awaitEvent(events, "notification.failed")
        assert.strictEqual(state?.status, "failed")
        return (told.payload["error"] as { code: string; message: string }).code
      })
      const email = { notification_type: "email" }
      assert.strictEqual(yield* failure({ ...email }), "no_recipient")
      assert.strictEqual(yield* failure({ ...email, recipients: [] }), "no_recipient")
      for (const address of [
        "anna",
        "anna@",
        "@example.org",
        "a b@example.org",
        "a@b@c",
        "Anna <anna@example.org>",
        "a@example.org, b@example.org",
        "a@example.org\r\nBcc: b@example.org",
        "a@-example.org",
      ]) {
        assert.strictEqual(yield* failure({ ...email, recipients: [{ email: address }] }), "malformed_address", address)
      }
      assert.strictEqual(yield* failure({ recipients: [{ email: "anna@example.org" }] }), "wrong_recipient")
      assert.strictEqual(yield* failure({ recipients: [{ fcm_token: "has blank" }] }), "malformed_token")
      assert.strictEqual(yield* failure({ recipients: [{ apns_token: "no hex" }] }), "malformed_token")
      const subscription = { endpoint: "nowhere", keys: { p256dh: "a", auth: "b" } }
      assert.strictEqual(yield* failure({ recipients: [{ web_push: subscription }] }), "malformed_token")
      const anna = { ...email, recipients: [{ email: "anna@example.org" }] }
      assert.strictEqual(yield* failure({ ...anna, template: "none" }), "unknown_template")
      assert.strictEqual(yield* failure({ ...anna, template: "welcome", context: { name: "A" } }), "template_context")
      assert.strictEqual(yield* failure({ recipients: [{ fcm_token: "good-token" }] }), "no_provider")
      assert.strictEqual(yield* failure({ ...anna, collapse_key: "x".repeat(65) }), "invalid_collapse_key")
      assert.strictEqual(yield* failure({ ...anna, expires_at: "2020-01-01T00:00:00Z" }), "expired")
      const many = Array.from({ length: 1_001 }, (_, index) => ({ email: `u${index}@example.org` }))
      assert.strictEqual(yield* failure({ ...email, recipients: many }), "too_many_recipients")
      assert.isEmpty((yield* FakeSmtp).attemptedRecipients)
    }).pipe(Effect.provide(installed(smtp))),
  )

  it.live("a mail up to the size limit is sent, and a longer one fails as too_large", () =>
    Effect.gen(function* () {
      // regression: a long mail exceeded the value limit of NATS and waited for ever
      const fake = yield* FakeSmtp
      const longest = yield* awaitFinal(yield* mail("anna@example.org", { body: "&".repeat(690_000) }))
      assert.strictEqual(longest?.status, "sent")
      assert.isBelow(JSON.stringify(longest).length, 1_000_000)
      assert.isAbove(fake.received[0]?.raw.length ?? 0, 5 * 690_000)
      const more = yield* awaitFinal(yield* mail("anna@example.org", { body: "&".repeat(710_000) }))
      assert.strictEqual(more?.error?.code, "too_large")
      // The size of a filled template is only known afterwards.
      const filled = { template: "welcome", context: { name: "&".repeat(300_000), count: 1 } }
      assert.strictEqual((yield* awaitFinal(yield* mail("anna@example.org", filled)))?.error?.code, "too_large")
      assert.lengthOf(fake.received, 1)
    }).pipe(Effect.provide(installed(smtp))),
  )

  it.live("characters of every script arrive in names, titles and addresses", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSmtp
      for (const address of ["grüße@example.org", "anna@exämple.org", "用户@例子.广告"]) {
        assert.strictEqual((yield* awaitFinal(yield* mail(address, { title: "Приве́т 👋🏽" })))?.status, "sent", address)
      }
      assert.strictEqual(fake.received[0]?.to, "grüße@example.org")
      const [head = ""] = (fake.received[0]?.raw ?? "").split("\r\n\r\n")
      assert.match(head, /^Subject: =\?UTF-8\?/m)
    }).pipe(Effect.provide(installed(smtp))),
  )

  it.live("a title cannot add a header", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSmtp
      yield* awaitFinal(yield* mail("anna@example.org", { title: "Hello\r\nBcc: other@example.org\r\n\r\nBody" }))
      const [head = ""] = (fake.received[0]?.raw ?? "").split("\r\n\r\n")
      assert.include(head, "Subject: Hello Bcc: other@example.org Body")
      assert.notMatch(head, /^bcc:/im)
    }).pipe(Effect.provide(installed(smtp))),
  )

  it.live("an empty idempotency key is ignored", () =>
    Effect.gen(function* () {
      // regression: all later notifications counted as repetitions
      const fake = yield* FakeSmtp
      for (const address of ["anna@example.org", "bert@example.org"]) {
        const id = yield* mail(address, { idempotency_key: "", collapse_key: "" })
        assert.strictEqual((yield* awaitFinal(id))?.status, "sent")
        assert.isUndefined((yield* notificationState(id))?.content.collapse_key)
      }
      assert.lengthOf(fake.received, 2)
    }).pipe(Effect.provide(installed(smtp))),
  )

  it.live("requests with the same idempotency key are one notification", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSmtp
      const events = yield* recordEvents
      const order = {
        idempotency_key: "order-7",
        notification_type: "email",
        recipients: [{ email: "anna@example.org" }],
      }
      const ids = [yield* publishRequest(order)]
      yield* awaitEvent(events, "notification.sent")
      ids.push(yield* publishRequest(order))
      yield* publishRequest({ ...order, idempotency_key: "order-8" })
      yield* eventually(
        () => fake.received.length,
        (count) => count >= 2,
      )
      yield* expectNothingFor("200 millis", () => fake.received.length > 2)
      assert.lengthOf(fake.received, 2)
      assert.lengthOf(
        events.filter(({ event_type }) => event_type === "notification.sent"),
        2,
      )
      // Both request ids lead to the one notification.
      const aliases = yield* Collection.make(notificationAliases)
      for (const id of ids) {
        const found = Option.getOrUndefined(yield* aliases.get(aliasKeyOf(id)))
        assert.strictEqual(found?.value.notification_id, events[0]?.payload["notification_id"])
      }
    }).pipe(Effect.provide(installed(smtp))),
  )

  it.effect("a sender or a URL that does not parse is a configuration error at start", () =>
    Effect.gen(function* () {
      for (const [url, sender, setting] of [
        ["smtp://localhost", "nobody", "MAIL_FROM"],
        ["no url", from, "SMTP_URL"],
      ] as const) {
        const layer = Smtp.layer({ url: Redacted.make(url), from: sender })
        const none = Layer.succeed(Attachments, { load: () => Effect.succeed([]) })
        const fault = yield* Effect.flip(
          Effect.scoped(Layer.build(layer.pipe(Layer.provide(Layer.merge(ProviderRegistry.layer(), none))))),
        )
        assert.strictEqual(fault.setting, setting)
      }
    }),
  )
})
