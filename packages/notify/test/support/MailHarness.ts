/** The e-mail providers over their fakes, and mail that is sent through them. */
import { FakeSendGrid } from "@armoricore/testing/fakes/FakeSendGrid"
import { FakeSes } from "@armoricore/testing/fakes/FakeSes"
import { FakeSmtp } from "@armoricore/testing/fakes/FakeSmtp"
import { Effect, Layer, Schema } from "effect"
import { Attachments } from "../../src/request/Attachments.ts"
import { DeliveryPolicy } from "../../src/delivery/DeliveryPolicy.ts"
import { html } from "../../src/request/Html.ts"
import * as SendGrid from "../../src/providers/email/SendGrid.ts"
import * as Ses from "../../src/providers/email/Ses.ts"
import * as Smtp from "../../src/providers/email/Smtp.ts"
import * as Templates from "../../src/request/Templates.ts"
import { deliveryState, awaitFinal, fastMailRetry, policy, ports, publishRequest, service } from "./NotifyHarness.ts"

export const from = "Example <no-reply@example.com>"
export const smtp = Layer.unwrap(Effect.map(FakeSmtp, ({ url }) => Smtp.layer({ url, from })))
export const sendgrid = Layer.unwrap(
  Effect.map(FakeSendGrid, ({ apiKey, baseUrl }) => SendGrid.layer({ apiKey, baseUrl, from, reports: true })),
)
export const ses = Layer.unwrap(
  Effect.map(FakeSes, ({ credentials, endpoint, region }) =>
    Ses.layer({ credentials, endpoint, region, from, reports: true }),
  ),
)
export const fakes = Layer.mergeAll(FakeSmtp.layer, FakeSendGrid.layer, FakeSes.layer)
export const attachments = Attachments.layer({ buckets: ["media"] })

const welcome = Templates.make(
  "welcome",
  Schema.Struct({ name: Schema.String, count: Schema.Int }),
  ({ count, name }) => ({
    title: `Welcome, ${name}`,
    text: `${name}, you have ${count} messages.`,
    html: html`<p>Dear <b>${name}</b>, you have ${count} messages.</p>`,
  }),
)

/** With everything that a template in files can set. */
const picture: Templates.Template = {
  name: "picture",
  render: (_context, locale) =>
    Effect.succeed({
      title: `In ${locale}`,
      text: "A picture",
      html: '<img src="cid:logo@inline">',
      email: { from_name: "Support", reply_to: ["support@example.com"] },
      attachments: [{ file_path: "s3://media/logo.png", content_id: "logo@inline" }],
    }),
}

/** As a template in files with `{{ preferences_url }}`. */
const placed: Templates.Template = {
  name: "placed",
  render: () =>
    Effect.succeed({
      title: "x",
      text: `Gérer : ${Templates.preferencesUrlMarker}`,
      html: `<a href="${Templates.preferencesUrlMarker}">Gérer</a>`,
    }),
}

export const installed = <E, R>(
  routes: Layer.Layer<never, E, R>,
  change: Partial<typeof DeliveryPolicy.Service> = {},
) =>
  service(Layer.provide(routes, attachments), { templates: [welcome, picture, placed] }).pipe(
    Layer.provide(policy({ ...fastMailRetry, ...change })),
    Layer.provideMerge(Layer.merge(ports, fakes)),
  )

export const mail = (email: string, more: object = {}) =>
  publishRequest({ notification_type: "email", recipients: [{ email }], ...more })

export const outcome = Effect.fnUntraced(function* (email: string) {
  const state = yield* awaitFinal(yield* mail(email))
  const [planned] = state?.deliveries ?? []
  const attempts = (yield* deliveryState(planned?.delivery_id ?? ""))?.attempt
  const { provider, reason, status } = planned?.summary ?? {}
  return { status, reason, attempts, provider }
})
