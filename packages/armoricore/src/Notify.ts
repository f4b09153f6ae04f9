/** The notify service as the settings have it: which providers in which order, their webhooks, or the local mailbox. */
import type { EventType } from "@armoricore/domain/Events"
import type { Channel } from "@armoricore/domain/NotificationState"
import { Attachments } from "@armoricore/notify/Attachments"
import { DeliveryPolicy } from "@armoricore/notify/DeliveryPolicy"
import * as MailboxPage from "@armoricore/notify/MailboxPage"
import { Notifications } from "@armoricore/notify/Notifications"
import * as NotifyService from "@armoricore/notify/NotifyService"
import { Reports } from "@armoricore/notify/Reports"
import { Routes } from "@armoricore/notify/Route"
import * as Inbox from "@armoricore/notify/routes/Inbox"
import { Suppressions } from "@armoricore/notify/Suppressions"
import * as TemplateFiles from "@armoricore/notify/TemplateFiles"
import * as Templates from "@armoricore/notify/Templates"
import * as Unsubscribe from "@armoricore/notify/Unsubscribe"
import * as UnsubscribeKey from "@armoricore/notify/UnsubscribeKey"
import * as SendGridWebhook from "@armoricore/notify/webhooks/SendGridWebhook"
import * as SesWebhook from "@armoricore/notify/webhooks/SesWebhook"
import { Effect, Layer, Redacted } from "effect"
import { createHmac } from "node:crypto"
import { contentIfSet } from "./SettingFile.ts"
import { Settings } from "./Settings.ts"
import type { RouteName } from "./settings/Notify.ts"

type Values = Settings["Service"]

export const readTypes: ReadonlyArray<EventType> = ["notification.requested"]

/** Kinds of internal work, for the queues that `setup` makes. */
export const workKinds = NotifyService.workKinds

const pushIsSet = ({ APNS_KEY, FCM_SERVICE_ACCOUNT, VAPID_PUBLIC_KEY }: Values) =>
  FCM_SERVICE_ACCOUNT !== undefined || APNS_KEY !== undefined || VAPID_PUBLIC_KEY !== undefined

const mailIsSet = ({ SENDGRID_API_KEY, SES_REGION, SMTP_URL }: Values) =>
  SMTP_URL !== undefined || SENDGRID_API_KEY !== undefined || SES_REGION !== undefined

const at = (baseUrl: string | undefined) => (baseUrl === undefined ? {} : { baseUrl })

const limited = ({ NOTIFY_RATES }: Values, route: RouteName) => {
  const perSecond = NOTIFY_RATES?.get(route)
  return perSecond === undefined ? {} : { perSecond }
}

/** One provider an entry; a provider's libraries are loaded only where it is set. */
const providers = Effect.fnUntraced(function* (settings: Values) {
  const { APNS_KEY, APNS_KEY_ID, APNS_TEAM_ID, APNS_TOPIC, FCM_SERVICE_ACCOUNT, MAIL_FROM: from = "" } = settings
  const { SENDGRID_API_KEY, SES_REGION, SMTP_URL, VAPID_PRIVATE_KEY, VAPID_PUBLIC_KEY, VAPID_SUBJECT } = settings
  const ca = yield* contentIfSet("SMTP_CA", settings.SMTP_CA)
  const push = [
    FCM_SERVICE_ACCOUNT === undefined
      ? Layer.empty
      : (yield* Effect.promise(() => import("@armoricore/notify/routes/Fcm"))).layer({
          serviceAccount: FCM_SERVICE_ACCOUNT,
          ...at(settings.FCM_BASE_URL),
          ...limited(settings, "fcm"),
        }),
    APNS_KEY === undefined
      ? Layer.empty
      : (yield* Effect.promise(() => import("@armoricore/notify/routes/Apns"))).layer({
          key: APNS_KEY,
          // Groups.ts asks for all of them where one is set.
          keyId: APNS_KEY_ID ?? "",
          teamId: APNS_TEAM_ID ?? "",
          topic: APNS_TOPIC ?? "",
          ...at(settings.APNS_BASE_URL),
          ...limited(settings, "apns"),
        }),
    VAPID_PUBLIC_KEY === undefined || VAPID_PRIVATE_KEY === undefined
      ? Layer.empty
      : (yield* Effect.promise(() => import("@armoricore/notify/routes/WebPush"))).layer({
          publicKey: VAPID_PUBLIC_KEY,
          privateKey: VAPID_PRIVATE_KEY,
          subject: VAPID_SUBJECT ?? "",
          ...limited(settings, "web_push"),
        }),
  ]
  const mail = [
    SMTP_URL === undefined
      ? Layer.empty
      : (yield* Effect.promise(() => import("@armoricore/notify/routes/Smtp"))).layer({
          url: Redacted.make(SMTP_URL),
          from,
          ...(ca === undefined ? {} : { ca }),
          ...limited(settings, "smtp"),
        }),
    SENDGRID_API_KEY === undefined
      ? Layer.empty
      : (yield* Effect.promise(() => import("@armoricore/notify/routes/SendGrid"))).layer({
          apiKey: SENDGRID_API_KEY,
          from,
          reports: settings.SENDGRID_WEBHOOK_KEY !== undefined,
          ...at(settings.SENDGRID_BASE_URL),
          ...limited(settings, "sendgrid"),
        }),
    SES_REGION === undefined
      ? Layer.empty
      : (yield* Effect.promise(() => import("@armoricore/notify/routes/Ses"))).layer({
          region: SES_REGION,
          from,
          reports: true,
          ...(settings.SES_ENDPOINT === undefined ? {} : { endpoint: settings.SES_ENDPOINT }),
          ...limited(settings, "ses"),
        }),
  ]
  const [a = Layer.empty, ...more] = [...push, ...mail, inboxFor(settings)]
  return Layer.mergeAll(a, ...more)
})

/** Where no provider is set at all, what would be sent stays here and can be looked at. */
const inboxFor = (settings: Values) => {
  const push: ReadonlyArray<Channel> = pushIsSet(settings) ? [] : ["fcm", "apns", "web_push"]
  const mail: ReadonlyArray<Channel> = mailIsSet(settings) ? [] : ["email"]
  const channels = [...push, ...mail]
  return channels.length === 0 ? Layer.empty : Inbox.layer(channels)
}

const say = Effect.fnUntraced(function* (settings: Values) {
  if (!pushIsSet(settings)) yield* Effect.logInfo("no push provider is set: push notifications stay in the local inbox")
  if (!mailIsSet(settings)) yield* Effect.logInfo("no e-mail provider is set: mail goes to the page /mailbox")
})

/** The same key in every process: links are made where mail is sent, and answered where HTTP is. */
const unsubscribe = Layer.unwrap(
  Effect.gen(function* () {
    const { JWT_SECRET, UNSUBSCRIBE_SECRET } = yield* Settings
    const key = UNSUBSCRIBE_SECRET ?? (JWT_SECRET === undefined ? yield* UnsubscribeKey.shared : derivedOf(JWT_SECRET))
    return Unsubscribe.Unsubscribe.layer({ key })
  }),
)

const derivedOf = (secret: Redacted.Redacted<string>) =>
  Redacted.make(createHmac("sha256", Redacted.value(secret)).update("armoricore unsubscribe").digest("base64url"))

const policy = Layer.effect(
  DeliveryPolicy,
  Effect.gen(function* () {
    const { MAIL_UNKNOWN } = yield* Settings
    return { ...(yield* DeliveryPolicy), strictMail: MAIL_UNKNOWN === "stop" }
  }),
)

const templates = Layer.unwrap(
  Effect.gen(function* () {
    const { NOTIFY_TEMPLATES } = yield* Settings
    return Templates.Templates.layer(NOTIFY_TEMPLATES === undefined ? [] : yield* TemplateFiles.load(NOTIFY_TEMPLATES))
  }),
)

/** The worker. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings
    yield* say(settings)
    const buckets = [settings.OBJECT_STORAGE_BUCKET, ...(settings.MEDIA_SOURCE_BUCKETS ?? [])]
    return NotifyService.layer.pipe(
      Layer.provide(yield* providers(settings)),
      Layer.provide([
        Routes.layer(settings.MAIL_ROUTES ?? ["smtp", "sendgrid", "ses"]),
        templates,
        policy,
        Attachments.layer({ buckets }),
        Suppressions.layer,
        unsubscribe,
      ]),
    )
  }),
)

/** What the listener answers for it: webhooks, unsubscribe links, and the mailbox where mail stays here. */
export const routes = Layer.unwrap(
  Effect.map(Settings, (settings) => {
    const { SENDGRID_WEBHOOK_KEY, SES_REGION, SES_TOPICS: topics } = settings
    return Layer.mergeAll(
      Unsubscribe.routes,
      SENDGRID_WEBHOOK_KEY === undefined ? Layer.empty : SendGridWebhook.routes({ key: SENDGRID_WEBHOOK_KEY }),
      SES_REGION === undefined ? Layer.empty : SesWebhook.routes(topics === undefined ? {} : { topics }),
      mailIsSet(settings) ? Layer.empty : MailboxPage.routes,
    ).pipe(
      Layer.provide(Reports.layer),
      Layer.provide(Notifications.layer),
      Layer.provide([Suppressions.layer, unsubscribe]),
    )
  }),
)
