/**
 * The program's configuration: every variable of the environment, read once at the start. All faults are named at
 * once, so that nobody mends them one start at a time.
 *
 * `NAME_FILE` reads the value of `NAME` from a file, for mounted secrets.
 */
import {
  Config,
  ConfigProvider,
  Context,
  Duration,
  Effect,
  FileSystem,
  Layer,
  Option,
  Redacted,
  Result,
  Schema,
} from "effect"
import { IpNetwork } from "effect/net"
import { configProviderFor } from "../secrets/SecretConfigProvider.ts"
import { crossFieldErrors } from "./CrossFieldRules.ts"
import { secrets } from "./Secrets.ts"
import type { Setting } from "./Setting.ts"
import { type SettingName, settingsTable, type SettingValues } from "./Table.ts"
import { makeRedact as makeScrub } from "../telemetry/Redaction.ts"
import { isRate, formatRate } from "./Realtime.ts"

/** The environment cannot be used as it is; each fault is one sentence that begins with the variable to change. */
export class SettingsError extends Schema.TaggedError<SettingsError>()("SettingsError", {
  errors: Schema.Array(Schema.String),
}) {
  override get message() {
    return this.errors.length === 1
      ? (this.errors[0] ?? "")
      : `${this.errors.length} settings need a change: ${this.errors.join("; ")}`
  }
}

export class Settings extends Context.Service<Settings, SettingValues>()("@armoricore/armoricore/Settings") {
  /** Reads the environment through the current `ConfigProvider`, and the secret store that it names. */
  static readonly layer = Layer.unwrap(
    Effect.gen(function* () {
      const found = yield* loadRawSettings
      return Layer.mergeAll(Layer.effect(Settings, decodeValues(found)), Layer.succeed(RawSettings, found))
    }),
  )
}

/** What the settings were read from, so that a later change can be seen. */
export class RawSettings extends Context.Service<RawSettings, RawValues>()("@armoricore/armoricore/RawSettings") {}

// The table is a constant of this package; Object.keys cannot know that it has no other keys.
export const settingNames = Object.keys(settingsTable).filter((name): name is SettingName => name in settingsTable)

/** What each variable is set to, or why that cannot be said. Unset ones are absent. */
export type RawValues = ReadonlyMap<SettingName, Result.Result<string, string>>

/** A variable's raw text, where it is set by itself or by `NAME_FILE`. */
const readRawSetting = Effect.fnUntraced(function* (name: SettingName) {
  const fs = yield* FileSystem.FileSystem
  const direct = yield* Effect.option(Config.String(name))
  const file = yield* Effect.option(Config.String(`${name}_FILE`))
  if (Option.isNone(file)) return Option.map(direct, Result.succeed)
  if (Option.isSome(direct)) return Option.some(Result.fail(`${name}_FILE and ${name} are both set; keep one of them`))
  const content = yield* Effect.option(fs.readFileString(file.value))
  return Option.some(
    Result.fromOption(
      Option.map(content, (text) => text.replace(/\r?\n$/, "")),
      () => `${name}_FILE names ${file.value}, which cannot be read`,
    ),
  )
})

const readRawSettings = Effect.fnUntraced(function* (wanted: ReadonlyArray<SettingName>) {
  const found = new Map<SettingName, Result.Result<string, string>>()
  for (const name of wanted) {
    const text = yield* readRawSetting(name)
    if (Option.isSome(text)) found.set(name, text.value)
  }
  return found
})

// As above: the group's own keys.
const secretStoreSettingNames = Object.keys(secrets).filter((name): name is keyof typeof secrets => name in secrets)

/** Every variable as it is set now, read anew: environment, files, secret store. */
export const loadRawSettings = Effect.gen(function* () {
  const place = yield* decodeValues(yield* readRawSettings(secretStoreSettingNames), ["VAULT_", "AWS_"])
  return yield* Effect.provideService(
    readRawSettings(settingNames),
    ConfigProvider.ConfigProvider,
    yield* configProviderFor(place),
  )
})

/** Only faults that begin with one of `about` count, where it is given. */
const decodeValues = Effect.fnUntraced(function* (found: RawValues, about: ReadonlyArray<string> = [""]) {
  const faults: Array<string> = []
  const values: Record<string, unknown> = {}
  for (const name of settingNames) {
    const setting: Setting<unknown> = settingsTable[name]
    const value = Result.flatMap(found.get(name) ?? Result.succeed(undefined), (text) =>
      text === undefined
        ? Result.succeed(setting.fallback)
        : Result.mapError(setting.parse(text), (fault) => `${name} ${fault}`),
    )
    if (Result.isSuccess(value)) values[name] = value.success
    else {
      values[name] = setting.fallback
      faults.push(value.failure)
    }
  }
  // Each entry was filled from the parser or the fallback of that same entry: exactly what Values says.
  const all = values as SettingValues
  const told = [...faults, ...crossFieldErrors(all)].filter((fault) => about.some((start) => fault.startsWith(start)))
  if (told.length > 0) return yield* new SettingsError({ errors: told })
  return all
})

/** Durations within an object would be printed by their insides. */
const toPlain = (value: unknown): unknown => {
  if (Duration.isDuration(value)) return formatValue(value)
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, toPlain(part)]))
}

const redactByPattern = makeScrub([])

const formatValue = (value: unknown): string => {
  if (Redacted.isRedacted(value)) return "<redacted>"
  if (Duration.isDuration(value)) return `${Duration.toSeconds(value)} s`
  if (value instanceof Map)
    return [...value.entries()].map(([key, part]) => `${String(key)}:${formatValue(part)}`).join(",")
  if (IpNetwork.isIpNetwork(value)) return IpNetwork.format(value)
  if (Array.isArray(value)) return value.map(formatValue).join(",")
  if (isRate(value)) return formatRate(value)
  // A URL may hold a password.
  if (typeof value === "string") return redactByPattern(value)
  return typeof value === "object" ? JSON.stringify(toPlain(value)) : String(value)
}

/** `NAME=value` lines, secrets left out; what is unset is said in words. */
export const describe = (values: SettingValues): ReadonlyArray<string> =>
  settingNames.map((name) => {
    const value: unknown = values[name]
    return value === undefined ? `# ${name}: ${settingsTable[name].defaultText}` : `${name}=${formatValue(value)}`
  })
