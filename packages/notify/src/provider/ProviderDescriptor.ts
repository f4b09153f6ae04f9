/**
 * One notification provider, complete: its names, its settings, its Layer and its webhook. A new provider is one file
 * with such a descriptor and one entry in `providers/Providers.ts`. The settings table, the groups of settings that must
 * be set together, `MAIL_PROVIDERS` and `NOTIFY_RATE_LIMITS`, the wiring and the webhook routes come from it.
 *
 * Descriptors are loaded with the settings, in every command. A provider therefore loads its libraries with `import()`
 * when its Layer is built, and its webhook when that is routed.
 */
import type { ConfigurationError } from "@armoricore/domain/Errors"
import type { NotificationChannel } from "@armoricore/domain/NotificationState"
import type { PublicUrl } from "@armoricore/storage/PublicUrl"
import { Effect, Layer } from "effect"
import type { HttpRouter } from "effect/http"
import type { DeliveryReports } from "../delivery/DeliveryReports.ts"
import type { Attachments } from "../request/Attachments.ts"
import type { ProviderRegistry } from "./Provider.ts"
import type { ProviderSettings, ValuesOf } from "./ProviderSettings.ts"

/** Settings that providers share. */
export interface CommonOptions {
  /** Calls per second, from `NOTIFY_RATE_LIMITS`. */
  readonly limits: { readonly maxPerSecond?: number }
  /** `MAIL_FROM`; empty without an e-mail provider. */
  readonly from: string
}

/** Registers the provider. */
export type ProviderLayer = Layer.Layer<never, ConfigurationError, ProviderRegistry | Attachments | PublicUrl>

/** Routes of a webhook that reports deliveries. */
export type WebhookRoutes = Layer.Layer<never, ConfigurationError, HttpRouter.HttpRouter | DeliveryReports | PublicUrl>

export interface Definition<Name extends string, Channel extends NotificationChannel, S extends ProviderSettings> {
  /** The name in events, metrics, the console and settings: `fcm`, `smtp`, … */
  readonly name: Name
  /** The name in messages for operators: `FCM`, `Amazon SES`, … */
  readonly title: string
  readonly channel: Channel
  readonly settings: S
  readonly layer: (settings: ValuesOf<S>, common: CommonOptions) => ProviderLayer
  /** Undefined: these settings leave the webhook off. */
  readonly webhook?: (settings: ValuesOf<S>) => Promise<WebhookRoutes> | undefined
}

/** Parsed settings by name, of this provider and of anything else; unset ones are undefined. */
export type SettingValues = Readonly<Record<string, unknown>>

export interface ProviderDescriptor<
  Name extends string = string,
  Channel extends NotificationChannel = NotificationChannel,
  S extends ProviderSettings = ProviderSettings,
> {
  readonly name: Name
  readonly title: string
  readonly channel: Channel
  readonly settings: S
  readonly requiredSettings: ReadonlyArray<keyof S & string>
  readonly optionalSettings: ReadonlyArray<keyof S & string>
  /** Settings that are paths; `layer` takes the content of their files instead. */
  readonly fileSettings: ReadonlyArray<keyof S & string>
  readonly isEnabled: (values: SettingValues) => boolean
  /** For an enabled provider. */
  readonly layer: (values: SettingValues, common: CommonOptions) => ProviderLayer
  /** Empty where the provider is off or reports nothing. */
  readonly webhookRoutes: (values: SettingValues) => WebhookRoutes
}

export const define = <
  const Name extends string,
  const Channel extends NotificationChannel,
  const S extends ProviderSettings,
>({
  channel,
  layer,
  name,
  settings,
  title,
  webhook,
}: Definition<Name, Channel, S>): ProviderDescriptor<Name, Channel, S> => {
  const namesWhere = (matches: (name: keyof S & string) => boolean): ReadonlyArray<keyof S & string> =>
    Object.keys(settings).filter(matches)
  const requiredSettings = namesWhere((key) => settings[key]?.isRequired === true)
  const isEnabled = (values: SettingValues) => requiredSettings.every((key) => values[key] !== undefined)
  return {
    name,
    title,
    channel,
    settings,
    requiredSettings,
    optionalSettings: namesWhere((key) => settings[key]?.isRequired !== true),
    fileSettings: namesWhere((key) => settings[key]?.kind === "file"),
    isEnabled,
    layer: (values, common) => layer(valuesOf(values), common),
    webhookRoutes: (values) => {
      const routes = isEnabled(values) ? webhook?.(valuesOf(values)) : undefined
      return routes === undefined ? Layer.empty : Layer.unwrap(Effect.promise(() => routes))
    },
  }
}

// The settings table parses each value by the kind in its descriptor, and `isEnabled` checks the required ones.
const valuesOf = <S extends ProviderSettings>(values: SettingValues) => values as ValuesOf<S>
