/**
 * The settings of a notification provider as plain data. The program that composes notify reads them from the
 * environment, checks them and documents them; see `ProviderDescriptor`.
 */
import type { Redacted } from "effect"

interface SettingText {
  /** One line for `.env.example` and the configuration reference. */
  readonly description: string
  /** The behaviour while the setting is unset. Absent: `unset`. */
  readonly defaultText?: string
  readonly example: string
  /** All required settings together switch the provider on. Setting only some of them is a fault at start. */
  readonly isRequired?: boolean
}

export type ProviderSetting = SettingText &
  (
    | { readonly kind: "text" }
    /** Never printed. */
    | { readonly kind: "secret" }
    /** A JSON object with at least these properties; never printed. */
    | { readonly kind: "jsonSecret"; readonly properties: ReadonlyArray<string> }
    | { readonly kind: "url"; readonly protocols: ReadonlyArray<string> }
    /** The path of a file that must exist at start. The provider receives its content. */
    | { readonly kind: "file" }
    /** Values separated by commas; `items` says in a fault what they must be. */
    | { readonly kind: "list"; readonly pattern: RegExp; readonly items: string }
  )

/** By the name of the environment variable. */
export type ProviderSettings = Readonly<Record<string, ProviderSetting>>

interface ValueByKind {
  readonly text: string
  readonly secret: Redacted.Redacted<string>
  readonly jsonSecret: Redacted.Redacted<string>
  readonly url: string
  readonly file: string
  readonly list: ReadonlyArray<string>
}

export type ValueOf<S extends ProviderSetting> = ValueByKind[S["kind"]]

export type ValuesOf<S extends ProviderSettings> = {
  readonly [N in keyof S]: S[N] extends { readonly isRequired: true } ? ValueOf<S[N]> : ValueOf<S[N]> | undefined
}

export const httpProtocols = ["http:", "https:"] as const
