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
import { providerOf } from "./secrets/Secrets.ts"
import { faultsOf } from "./settings/Groups.ts"
import { secrets } from "./settings/Secrets.ts"
import type { Setting } from "./settings/Setting.ts"
import { type Name, table, type Values } from "./settings/Table.ts"
import { make as makeScrub } from "./telemetry/Scrub.ts"
import { isRate, shownRate } from "./settings/Realtime.ts"

/** The environment cannot be used as it is; each fault is one sentence that begins with the variable to change. */
export class SettingsFault extends Schema.TaggedError<SettingsFault>()("SettingsFault", {
  faults: Schema.Array(Schema.String),
}) {
  override get message() {
    return this.faults.length === 1
      ? (this.faults[0] ?? "")
      : `${this.faults.length} settings need a change: ${this.faults.join("; ")}`
  }
}

export class Settings extends Context.Service<Settings, Values>()("@armoricore/armoricore/Settings") {
  /** Reads the environment through the current `ConfigProvider`, and the secret store that it names. */
  static readonly layer = Layer.unwrap(
    Effect.gen(function* () {
      const found = yield* texts
      return Layer.mergeAll(Layer.effect(Settings, valuesOf(found)), Layer.succeed(TextsAtStart, found))
    }),
  )
}

/** What the settings were read from, so that a later change can be seen. */
export class TextsAtStart extends Context.Service<TextsAtStart, Texts>()("@armoricore/armoricore/TextsAtStart") {}

// The table is a constant of this package; Object.keys cannot know that it has no other keys.
export const names = Object.keys(table).filter((name): name is Name => name in table)

/** What each variable is set to, or why that cannot be said. Unset ones are absent. */
export type Texts = ReadonlyMap<Name, Result.Result<string, string>>

/** A variable's raw text, where it is set by itself or by `NAME_FILE`. */
const readText = Effect.fnUntraced(function* (name: Name) {
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

const readTexts = Effect.fnUntraced(function* (wanted: ReadonlyArray<Name>) {
  const found = new Map<Name, Result.Result<string, string>>()
  for (const name of wanted) {
    const text = yield* readText(name)
    if (Option.isSome(text)) found.set(name, text.value)
  }
  return found
})

// As above: the group's own keys.
const storeNames = Object.keys(secrets).filter((name): name is keyof typeof secrets => name in secrets)

/** Every variable as it is set now, read anew: environment, files, secret store. */
export const texts = Effect.gen(function* () {
  const place = yield* valuesOf(yield* readTexts(storeNames), ["VAULT_", "AWS_"])
  return yield* Effect.provideService(readTexts(names), ConfigProvider.ConfigProvider, yield* providerOf(place))
})

/** Only faults that begin with one of `about` count, where it is given. */
const valuesOf = Effect.fnUntraced(function* (found: Texts, about: ReadonlyArray<string> = [""]) {
  const faults: Array<string> = []
  const values: Record<string, unknown> = {}
  for (const name of names) {
    const setting: Setting<unknown> = table[name]
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
  const all = values as Values
  const told = [...faults, ...faultsOf(all)].filter((fault) => about.some((start) => fault.startsWith(start)))
  if (told.length > 0) return yield* new SettingsFault({ faults: told })
  return all
})

/** Durations within an object would be printed by their insides. */
const plain = (value: unknown): unknown => {
  if (Duration.isDuration(value)) return shownValue(value)
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]))
}

const inForm = makeScrub([])

const shownValue = (value: unknown): string => {
  if (Redacted.isRedacted(value)) return "<redacted>"
  if (Duration.isDuration(value)) return `${Duration.toSeconds(value)} s`
  if (value instanceof Map)
    return [...value.entries()].map(([key, part]) => `${String(key)}:${shownValue(part)}`).join(",")
  if (IpNetwork.isIpNetwork(value)) return IpNetwork.format(value)
  if (Array.isArray(value)) return value.map(shownValue).join(",")
  if (isRate(value)) return shownRate(value)
  // A URL may hold a password.
  if (typeof value === "string") return inForm(value)
  return typeof value === "object" ? JSON.stringify(plain(value)) : String(value)
}

/** `NAME=value` lines, secrets left out; what is unset is said in words. */
export const describe = (values: Values): ReadonlyArray<string> =>
  names.map((name) => {
    const value: unknown = values[name]
    return value === undefined ? `# ${name}: ${table[name].unset}` : `${name}=${shownValue(value)}`
  })
