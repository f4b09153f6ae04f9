import { eventually, expectNothingFor } from "@armoricore/testing/Eventually"
import { FakeSendGrid } from "@armoricore/testing/fakes/FakeSendGrid"
import { FakeSmtp } from "@armoricore/testing/fakes/FakeSmtp"
import * as Collection from "@armoricore/state/Collection"
import { aliasKeyOf, notificationAliases } from "@armoricore/state/NotificationStates"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { Attachments } from "../../../src/request/Attachments.ts"
import { ProviderRegistry } from "../../../src/provider/Provider.ts"
import * as Smtp from "../../../src/providers/email/Smtp.ts"
import {
  awaitFinal,
  awaitEvent,
  recordEvents,
  notificationState,
  publishRequest,
  requestEvent,
  publish,
} from "../../support/NotifyHarness.ts"
import { from, installed, mail, sendgrid, smtp } from "../../support/MailHarness.ts"

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
      const [text = "", link = ""] = (body.content[0]?.value ?? "").split("\n\n--\nChoose which messages you receive: ")
      assert.strictEqual(text, "<Anna> & co, you have 3 messages.")
      assert.match(link, /^https:\/\/example\.com\/v1\/preferences\/[\w.-]+$/)
      assert.include(body.content[1]?.value, "<b>&lt;Anna&gt; &amp; co</b>")
      assert.include(body.content[1]?.value, `<a href="${link}">`)
      assert.match(body.headers["List-Unsubscribe"] ?? "", /^<https:\/\/example\.com\/v1\/unsubscribe\/[\w.-]+>$/)
      assert.strictEqual(body.headers["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click")
      assert.notInclude(body.headers["List-Unsubscribe"], "anna")
      // A template that places the link itself gets no second one.
      yield* awaitFinal(yield* mail("anna@example.org", { template: "placed", category: "newsletter" }))
      const second = fake.accepted[1]?.body as typeof body
      const [plain, page] = second.content
      assert.strictEqual(plain?.value, `Gérer : ${link}`)
      assert.include(page?.value, `<a href="${link}">Gérer</a>`)
      assert.notInclude(page?.value, "Choose which messages")
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

  it.live("a template sets the sender's name, the reply address and inline images, unless the request does", () =>
    Effect.gen(function* () {
      const storage = yield* ObjectStorage
      yield* storage.put({ bucket: "media", key: "logo.png" }, Buffer.from("png"), { contentType: "image/png" })
      const request = { template: "picture", locale: "fr", email: { from_name: "Billing" } }
      yield* awaitFinal(yield* mail("anna@example.org", request))
      const [grid] = (yield* FakeSendGrid).accepted
      assert.deepNestedInclude(grid?.body, {
        subject: "In fr",
        "from.name": "Billing",
        reply_to_list: [{ email: "support@example.com" }],
        "attachments[0].content_id": "logo@inline",
        "attachments[0].disposition": "inline",
      })
    }).pipe(Effect.provide(installed(sendgrid))),
  )

  it.live("SMTP mail shows an inline image in its place", () =>
    Effect.gen(function* () {
      const storage = yield* ObjectStorage
      yield* storage.put({ bucket: "media", key: "logo.png" }, Buffer.from("png"), { contentType: "image/png" })
      yield* awaitFinal(yield* mail("anna@example.org", { template: "picture", locale: "fr" }))
      const [received] = (yield* FakeSmtp).received
      assert.match(received?.raw ?? "", /^From: "?Support"? </m)
      assert.match(received?.raw ?? "", /^Content-ID: <logo@inline>\r$/im)
      assert.match(received?.raw ?? "", /Content-Disposition: inline/)
      assert.include(received?.raw, "multipart/related")
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
        const reported = yield* awaitEvent(events, "notification.failed")
        assert.strictEqual(state?.status, "failed")
        return (reported.payload["error"] as { code: string; message: string }).code
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
      // Mail without a category has no page to link to.
      assert.strictEqual(yield* failure({ ...anna, template: "placed" }), "template_context")
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
