/** Composes the notify service from the settings: the providers in their order, their webhooks, or the dev mailbox. */
import type { NotificationChannel } from "@armoricore/domain/NotificationState"
import { Attachments } from "@armoricore/notify/request/Attachments"
import { DeliveryPolicy } from "@armoricore/notify/delivery/DeliveryPolicy"
import * as PreferencePage from "@armoricore/notify/preferences/PreferencePage"
import { CategoryRules } from "@armoricore/notify/preferences/PreferenceRules"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import * as DevMailboxPage from "@armoricore/notify/providers/dev/DevMailboxPage"
import { Notifications } from "@armoricore/notify/request/Notifications"
import * as NotifyService from "@armoricore/notify/NotifyService"
import { DeliveryReports } from "@armoricore/notify/delivery/DeliveryReports"
import { ProviderRegistry } from "@armoricore/notify/provider/Provider"
import { providers } from "@armoricore/notify/providers/Providers"
import * as InApp from "@armoricore/notify/providers/inapp/InApp"
import * as DevMailbox from "@armoricore/notify/providers/dev/DevMailbox"
import { DeliveryIdKey } from "@armoricore/notify/request/Target"
import { Suppressions } from "@armoricore/notify/unsubscribe/Suppressions"
import * as TemplateFiles from "@armoricore/notify/request/TemplateFiles"
import * as WorkflowFiles from "@armoricore/notify/workflow/WorkflowFiles"
import { WorkflowRegistry } from "@armoricore/notify/workflow/Workflows"
import * as Templates from "@armoricore/notify/request/Templates"
import * as UnsubscribeLinks from "@armoricore/notify/unsubscribe/UnsubscribeLinks"
import * as UnsubscribeKey from "@armoricore/notify/unsubscribe/UnsubscribeKey"
import { NodeRequests } from "@armoricore/operator"
import { PermanentError } from "@armoricore/domain/Errors"
import { NodeRpc } from "@armoricore/worker/control/NodeRpc"
import { Effect, Layer, Redacted, Schema } from "effect"
import { createHmac } from "node:crypto"
import { emailProviders, pushProviders } from "../settings/Providers.ts"
import { readSettingFile, Settings } from "../settings/Settings.ts"

type SettingValues = Settings["Service"]

/** Kinds of internal work; `armoricore setup` creates a queue for each. */
export const { workKinds, workSchemas } = NotifyService

const isEnabled = (settings: SettingValues) => (provider: (typeof providers)[number]) => provider.isEnabled(settings)
const hasPushProvider = (settings: SettingValues) => pushProviders.some(isEnabled(settings))
const hasSmsProvider = (settings: SettingValues) =>
  providers.filter(({ channel }) => channel === "sms").some(isEnabled(settings))
const hasEmailProvider = (settings: SettingValues) => emailProviders.some(isEnabled(settings))

/** The settings with the content of the provider's files in place of their paths. */
const withFileContents = Effect.fnUntraced(function* (
  settings: SettingValues,
  names: ReadonlyArray<keyof SettingValues>,
) {
  const contents: Record<string, unknown> = {}
  for (const name of names) {
    const path = settings[name]
    if (typeof path === "string") contents[name] = yield* readSettingFile(name, path)
  }
  return { ...settings, ...contents }
})

/** Every provider that is set. */
const providerLayers = Effect.fn("Notify.providers")(function* (settings: SettingValues) {
  const { MAIL_FROM: from = "", NOTIFY_RATE_LIMITS } = settings
  const layers = yield* Effect.forEach(providers.filter(isEnabled(settings)), ({ fileSettings, layer, name }) => {
    const maxPerSecond = NOTIFY_RATE_LIMITS?.get(name)
    return Effect.map(withFileContents(settings, fileSettings), (values) =>
      layer(values, { from, limits: maxPerSecond === undefined ? {} : { maxPerSecond } }),
    )
  })
  return Layer.mergeAll(InApp.layer, devMailbox(settings), ...layers)
})

/** Without a provider for a channel, its messages stay in this installation, where a developer can see them. */
const devMailbox = (settings: SettingValues) => {
  const pushChannels: ReadonlyArray<NotificationChannel> = hasPushProvider(settings) ? [] : ["fcm", "apns", "web_push"]
  const emailChannels: ReadonlyArray<NotificationChannel> = hasEmailProvider(settings) ? [] : ["email"]
  const smsChannels: ReadonlyArray<NotificationChannel> = hasSmsProvider(settings) ? [] : ["sms"]
  const channels = [...pushChannels, ...emailChannels, ...smsChannels]
  return channels.length === 0 ? Layer.empty : DevMailbox.layer(channels)
}

const logMissingProviders = Effect.fnUntraced(function* (settings: SettingValues) {
  if (!hasPushProvider(settings))
    yield* Effect.logInfo("no push provider is set: push notifications stay in the local inbox")
  if (!hasEmailProvider(settings)) yield* Effect.logInfo("no e-mail provider is set: e-mail goes to the page /mailbox")
  if (!hasSmsProvider(settings)) yield* Effect.logInfo("no SMS provider is set: SMS stay in the local inbox")
})

/** The key is the same in every process; see `unsubscribe`. */
const deliveryIdKey = Layer.unwrap(
  Effect.gen(function* () {
    const { JWT_SECRET } = yield* Settings
    const secret = JWT_SECRET ?? (yield* UnsubscribeKey.sharedKey)
    return Layer.succeed(DeliveryIdKey, deriveKey(secret, "armoricore delivery ids"))
  }),
)

/** The key is the same in every process: notify workers sign links, and processes with an HTTP listener verify them. */
const unsubscribe = Layer.unwrap(
  Effect.gen(function* () {
    const { JWT_SECRET, UNSUBSCRIBE_SECRET } = yield* Settings
    const key =
      UNSUBSCRIBE_SECRET ??
      (JWT_SECRET === undefined ? yield* UnsubscribeKey.sharedKey : deriveKey(JWT_SECRET, "armoricore unsubscribe"))
    return UnsubscribeLinks.UnsubscribeLinks.layer({ key })
  }),
)

const deriveKey = (secret: Redacted.Redacted<string>, purpose: string) =>
  Redacted.make(createHmac("sha256", Redacted.value(secret)).update(purpose).digest("base64url"))

const deliveryPolicy = Layer.effect(
  DeliveryPolicy,
  Effect.gen(function* () {
    const { MAIL_RESEND_UNKNOWN, MAIL_RETRY_FOR } = yield* Settings
    return {
      ...(yield* DeliveryPolicy),
      resendUnknownMail: MAIL_RESEND_UNKNOWN === "resend",
      mailRetryFor: MAIL_RETRY_FOR,
    } satisfies DeliveryPolicy
  }),
)

const workflows = Effect.flatMap(Settings, ({ NOTIFY_WORKFLOWS }) =>
  NOTIFY_WORKFLOWS === undefined ? Effect.succeed([]) : WorkflowFiles.load(NOTIFY_WORKFLOWS),
)

const categoryRules = Layer.effect(
  CategoryRules,
  Effect.gen(function* () {
    const { NOTIFY_CATEGORIES, NOTIFY_CRITICAL_CATEGORIES } = yield* Settings
    const ofWorkflows = (yield* workflows).flatMap(({ category, critical }) =>
      critical === true && category !== undefined ? [category] : [],
    )
    return {
      critical: new Set([...(NOTIFY_CRITICAL_CATEGORIES ?? []), ...ofWorkflows]),
      listed: NOTIFY_CATEGORIES ?? [],
    }
  }),
)

const workflowRegistry = Layer.effect(
  WorkflowRegistry,
  Effect.map(workflows, (all) => new Map(all.map((workflow) => [workflow.name, workflow]))),
)

const templates = Layer.unwrap(
  Effect.gen(function* () {
    const { NOTIFY_TEMPLATES } = yield* Settings
    return Templates.Templates.layer(NOTIFY_TEMPLATES === undefined ? [] : yield* TemplateFiles.load(NOTIFY_TEMPLATES))
  }),
)

/** Answers operators who preview a template. */
const templatePreview = Layer.effectDiscard(
  Effect.gen(function* () {
    const nodeRpc = yield* NodeRpc
    const { names, render } = yield* Templates.Templates
    yield* nodeRpc.respond(NodeRequests.templateNames, () => Effect.succeed(names))
    yield* nodeRpc.respond(NodeRequests.previewTemplate, ({ context, locale, template }) =>
      Effect.flatMap(
        Effect.mapError(
          decodeContext(context),
          () => new PermanentError({ code: "invalid", message: "the context is not a JSON object" }),
        ),
        (fields) =>
          Effect.map(render(template, fields, locale), ({ html, text, title }) => ({
            title,
            text,
            ...(html === undefined ? {} : { html }),
          })),
      ),
    )
  }),
)
const decodeContext = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Json)))

/** The notify worker. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings
    yield* logMissingProviders(settings)
    const buckets = [settings.OBJECT_STORAGE_BUCKET, ...(settings.MEDIA_SOURCE_BUCKETS ?? [])]
    return Layer.merge(NotifyService.layer, templatePreview).pipe(
      Layer.provide(yield* providerLayers(settings)),
      Layer.provide([
        ProviderRegistry.layer(settings.MAIL_PROVIDERS ?? emailProviders.map(({ name }) => name)),
        templates,
        deliveryIdKey,
        deliveryPolicy,
        categoryRules,
        workflowRegistry,
        Attachments.layer({ buckets }),
        Suppressions.layer,
        unsubscribe,
      ]),
    )
  }),
)

/** HTTP routes: provider webhooks, links to unsubscribe, and the mailbox page where no e-mail provider is set. */
export const routes = Layer.unwrap(
  Effect.map(Settings, (settings) =>
    Layer.mergeAll(
      UnsubscribeLinks.routes,
      PreferencePage.routes,
      hasEmailProvider(settings) ? Layer.empty : DevMailboxPage.routes,
      ...providers.map(({ webhookRoutes }) => webhookRoutes(settings)),
    ).pipe(
      Layer.provide(DeliveryReports.layer),
      Layer.provide(Notifications.layer),
      Layer.provide([Suppressions.layer, unsubscribe, UserDevices.layer, UserPreferences.layer, categoryRules]),
    ),
  ),
)
