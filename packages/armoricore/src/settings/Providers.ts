/**
 * The settings of notification providers. Each provider lists its own in its descriptor as plain data; here they become
 * entries of the settings table.
 */
import type { ProviderSetting, ProviderSettings, ValueOf } from "@armoricore/notify/provider/ProviderSettings"
import { providers } from "@armoricore/notify/providers/Providers"
import { channelTraits } from "@armoricore/notify/request/Target"
import { Redacted, Result } from "effect"
import { list, optional, type Optional, parseJson, secret, type Setting, text, url } from "./Setting.ts"

type Provider = (typeof providers)[number]
type EmailProvider = Extract<Provider, { readonly channel: "email" }>

export type ProviderName = Provider["name"]

type PushProvider = Extract<Provider, { readonly channel: "fcm" | "apns" | "web_push" }>
/** A union with a record without properties would hide the others. */
type WithSettings<P> = P extends { readonly settings: infer S } ? (keyof S extends never ? never : P) : never
type OtherProvider = WithSettings<Exclude<Provider, EmailProvider | PushProvider>>

const isEmailProvider = (provider: Provider): provider is EmailProvider => provider.channel === "email"
const isPushProvider = (provider: Provider): provider is PushProvider => channelTraits[provider.channel].type === "push"
const isOtherProvider = (provider: Provider): provider is OtherProvider =>
  !isEmailProvider(provider) && !isPushProvider(provider) && Object.keys(provider.settings).length > 0

export const emailProviders = providers.filter(isEmailProvider)
export const pushProviders = providers.filter(isPushProvider)
/** SMS, chats and webhooks, as far as they have settings. */
export const otherProviders = providers.filter(isOtherProvider)

/** `(A | B) → A & B`: the settings of several providers as one record. */
type Merged<Union> = (Union extends unknown ? (part: Union) => void : never) extends (part: infer All) => void
  ? All
  : never

type TableOf<S> = {
  readonly [N in keyof S]: S[N] extends ProviderSetting ? Setting<Optional<ValueOf<S[N]>>> : never
}

const tableOf = <D extends { readonly settings: ProviderSettings }>(
  from: ReadonlyArray<D>,
): TableOf<Merged<D["settings"]>> => {
  const entries = from.flatMap(({ settings }) =>
    Object.entries(settings).map(([name, setting]) => [name, toSetting(setting)] as const),
  )
  // `Object.fromEntries` forgets the names, and `toSetting` the kind of each value.
  return Object.fromEntries(entries) as TableOf<Merged<D["settings"]>>
}

const toSetting = (setting: ProviderSetting): Setting<unknown> => {
  switch (setting.kind) {
    case "text":
    case "file":
      return text(setting)
    case "secret":
      return secret(setting)
    case "jsonSecret":
      return jsonSecret(setting.properties)(setting)
    case "url":
      return url(...setting.protocols)(setting)
    case "list":
      return listOf(setting.pattern, setting.items)(setting)
  }
}

/** The provider decodes the JSON with its own Schema; here only the names of missing properties are reported. */
const jsonSecret = (properties: ReadonlyArray<string>) =>
  optional<Redacted.Redacted<string>>(
    (value) =>
      Result.flatMap(parseJson(value), (parsed) => {
        if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
          return Result.fail("must be a JSON object")
        const missing = properties.filter((property) => !Object.hasOwn(parsed, property))
        return missing.length === 0
          ? Result.succeed(Redacted.make(value))
          : Result.fail(`lacks ${missing.join(", ")}; paste the whole JSON file`)
      }),
    true,
  )

const listOf = (pattern: RegExp, items: string) =>
  optional<ReadonlyArray<string>>((value) =>
    Result.flatMap(list({ description: "" }).parse(value), (parts = []) =>
      parts.every((part) => pattern.test(part)) ? Result.succeed(parts) : Result.fail(`must be ${items}`),
    ),
  )

export const pushProviderSettings = tableOf(pushProviders)
export const emailProviderSettings = tableOf(emailProviders)
export const otherProviderSettings = tableOf(otherProviders)
