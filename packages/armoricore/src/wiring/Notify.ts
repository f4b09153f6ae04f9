/** The notify service as the settings have it: which providers in which order, their webhooks, or the local mailbox. */
import type { NotificationChannel } from "@armoricore/domain/NotificationState"
import { Attachments } from "@armoricore/notify/request/Attachments"
import { DeliveryPolicy } from "@armoricore/notify/delivery/DeliveryPolicy"
import * as DevMailboxPage from "@armoricore/notify/providers/dev/DevMailboxPage"
import { Notifications } from "@armoricore/notify/request/Notifications"
import * as NotifyService from "@armoricore/notify/NotifyService"
import { DeliveryReports } from "@armoricore/notify/delivery/DeliveryReports"
import { ProviderRegistry } from "@armoricore/notify/provider/Provider"
import * as DevMailbox from "@armoricore/notify/providers/dev/DevMailbox"
import { Suppressions } from "@armoricore/notify/unsubscribe/Suppressions"
import * as TemplateFiles from "@armoricore/notify/request/TemplateFiles"
import * as Templates from "@armoricore/notify/request/Templates"
import * as UnsubscribeLinks from "@armoricore/notify/unsubscribe/UnsubscribeLinks"
import * as UnsubscribeKey from "@armoricore/notify/unsubscribe/UnsubscribeKey"
import * as SendGridWebhook from "@armoricore/notify/webhooks/SendGridWebhook"
import * as SesWebhook from "@armoricore/notify/webhooks/SesWebhook"
import { Effect, Layer, Redacted } from "effect"
import { createHmac } from "node:crypto"
import { readOptionalSettingFile } from "../settings/SettingFile.ts"
import { Settings } from "../settings/Settings.ts"
import type { ProviderName } from "../settings/Notify.ts"

type SettingValues = Settings["Service"]

/** Kinds of internal work, for the queues that `setup` makes. */
export const workKinds = NotifyService.workKinds

const hasPushProvider = ({ APNS_KEY, FCM_SERVICE_ACCOUNT, VAPID_PUBLIC_KEY }: SettingValues) =>
  FCM_SERVICE_ACCOUNT !== undefined || APNS_KEY !== undefined || VAPID_PUBLIC_KEY !== undefined

const hasMailProvider = ({ SENDGRID_API_KEY, SES_REGION, SMTP_URL }: SettingValues) =>
  SMTP_URL !== undefined || SENDGRID_API_KEY !== undefined || SES_REGION !== undefined

const baseUrlOption = (baseUrl: string | undefined) => (baseUrl === undefined ? {} : { baseUrl })

const rateLimitOption = ({ NOTIFY_RATE_LIMITS }: SettingValues, route: ProviderName) => {
  const maxPerSecond = NOTIFY_RATE_LIMITS?.get(route)
  return maxPerSecond === undefined ? {} : { maxPerSecond }
}

/** One provider an entry; a provider's libraries are loaded only where it is set. */
const providers = Effect.fnUntraced(function* (settings: SettingValues) {
  const { APNS_KEY, APNS_KEY_ID, APNS_TEAM_ID, APNS_TOPIC, FCM_SERVICE_ACCOUNT, MAIL_FROM: from = "" } = settings
  const { SENDGRID_API_KEY, SES_REGION, SMTP_URL, VAPID_PRIVATE_KEY, VAPID_PUBLIC_KEY, VAPID_SUBJECT } = settings
  const ca = yield* readOptionalSettingFile("SMTP_CA", settings.SMTP_CA)
  const push = [
    FCM_SERVICE_ACCOUNT === undefined
      ? Layer.empty
      : (yield* Effect.promise(() => import("@armoricore/notify/providers/push/Fcm"))).layer({
          serviceAccount: FCM_SERVICE_ACCOUNT,
          ...baseUrlOption(settings.FCM_BASE_URL),
          ...rateLimitOption(settings, "fcm"),
        }),
    APNS_KEY === undefined
      ? Layer.empty
      : (yield* Effect.promise(() => import("@armoricore/notify/providers/push/Apns"))).layer({
          key: APNS_KEY,
          // Groups.ts asks for all of them where one is set.
          keyId: APNS_KEY_ID ?? "",
          teamId: APNS_TEAM_ID ?? "",
          topic: APNS_TOPIC ?? "",
          ...baseUrlOption(settings.APNS_BASE_URL),
          ...rateLimitOption(settings, "apns"),
        }),
    VAPID_PUBLIC_KEY === undefined || VAPID_PRIVATE_KEY === undefined
      ? Layer.empty
      : (yield* Effect.promise(() => import("@armoricore/notify/providers/push/WebPush"))).layer({
          publicKey: VAPID_PUBLIC_KEY,
          privateKey: VAPID_PRIVATE_KEY,
          subject: VAPID_SUBJECT ?? "",
          ...rateLimitOption(settings, "web_push"),
        }),
  ]
  const mail = [
    SMTP_URL === undefined
      ? Layer.empty
      : (yield* Effect.promise(() => import("@armoricore/notify/providers/email/Smtp"))).layer({
          url: Redacted.make(SMTP_URL),
          from,
          ...(ca === undefined ? {} : { ca }),
          ...rateLimitOption(settings, "smtp"),
        }),
    SENDGRID_API_KEY === undefined
      ? Layer.empty
      : (yield* Effect.promise(() => import("@armoricore/notify/providers/email/SendGrid"))).layer({
          apiKey: SENDGRID_API_KEY,
          from,
          reports: settings.SENDGRID_WEBHOOK_KEY !== undefined,
          ...baseUrlOption(settings.SENDGRID_BASE_URL),
          ...rateLimitOption(settings, "sendgrid"),
        }),
    SES_REGION === undefined
      ? Layer.empty
      : (yield* Effect.promise(() => import("@armoricore/notify/providers/email/Ses"))).layer({
          region: SES_REGION,
          from,
          reports: true,
          ...(settings.SES_ENDPOINT === undefined ? {} : { endpoint: settings.SES_ENDPOINT }),
          ...rateLimitOption(settings, "ses"),
        }),
  ]
  const [a = Layer.empty, ...more] = [...push, ...mail, devMailboxFor(settings)]
  return Layer.mergeAll(a, ...more)
})

/** Where no provider is set at all, what would be sent stays here and can be looked at. */
const devMailboxFor = (settings: SettingValues) => {
  const push: ReadonlyArray<NotificationChannel> = hasPushProvider(settings) ? [] : ["fcm", "apns", "web_push"]
  const mail: ReadonlyArray<NotificationChannel> = hasMailProvider(settings) ? [] : ["email"]
  const channels = [...push, ...mail]
  return channels.length === 0 ? Layer.empty : DevMailbox.layer(channels)
}

const logMissingProviders = Effect.fnUntraced(function* (settings: SettingValues) {
  if (!hasPushProvider(settings))
    yield* Effect.logInfo("no push provider is set: push notifications stay in the local inbox")
  if (!hasMailProvider(settings)) yield* Effect.logInfo("no e-mail provider is set: mail goes to the page /mailbox")
})

/** The same key in every process: links are made where mail is sent, and answered where HTTP is. */
const unsubscribe = Layer.unwrap(
  Effect.gen(function* () {
    const { JWT_SECRET, UNSUBSCRIBE_SECRET } = yield* Settings
    const key =
      UNSUBSCRIBE_SECRET ?? (JWT_SECRET === undefined ? yield* UnsubscribeKey.sharedKey : deriveKey(JWT_SECRET))
    return UnsubscribeLinks.UnsubscribeLinks.layer({ key })
  }),
)

const deriveKey = (secret: Redacted.Redacted<string>) =>
  Redacted.make(createHmac("sha256", Redacted.value(secret)).update("armoricore unsubscribe").digest("base64url"))

const deliveryPolicy = Layer.effect(
  DeliveryPolicy,
  Effect.gen(function* () {
    const { MAIL_RESEND_UNKNOWN } = yield* Settings
    return { ...(yield* DeliveryPolicy), strictMail: MAIL_RESEND_UNKNOWN === "stop" }
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
    yield* logMissingProviders(settings)
    const buckets = [settings.OBJECT_STORAGE_BUCKET, ...(settings.MEDIA_SOURCE_BUCKETS ?? [])]
    return NotifyService.layer.pipe(
      Layer.provide(yield* providers(settings)),
      Layer.provide([
        ProviderRegistry.layer(settings.MAIL_PROVIDERS ?? ["smtp", "sendgrid", "ses"]),
        templates,
        deliveryPolicy,
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
      UnsubscribeLinks.routes,
      SENDGRID_WEBHOOK_KEY === undefined ? Layer.empty : SendGridWebhook.routes({ key: SENDGRID_WEBHOOK_KEY }),
      SES_REGION === undefined ? Layer.empty : SesWebhook.routes(topics === undefined ? {} : { topics }),
      hasMailProvider(settings) ? Layer.empty : DevMailboxPage.routes,
    ).pipe(
      Layer.provide(DeliveryReports.layer),
      Layer.provide(Notifications.layer),
      Layer.provide([Suppressions.layer, unsubscribe]),
    )
  }),
)
