/**
 * The program's configuration: every variable of the environment, read once at the start. All faults are named at
 * once, so that nobody mends them one start at a time.
 *
 * `NAME_FILE` reads the value of `NAME` from a file, for mounted secrets.
 */
import { Config, Context, Duration, Effect, FileSystem, Layer, Option, Redacted, Result, Schema } from "effect"
import { IpNetwork } from "effect/net"
import { faultsOf } from "./settings/Groups.ts"
import type { Setting } from "./settings/Setting.ts"
import { type Name, table, type Values } from "./settings/Table.ts"

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
  /** Reads the environment through the current `ConfigProvider`. */
import { isRate, shownRate } from "./settings/Realtime.ts"
  static readonly layer = Layer.effect(
    Settings,
    Effect.suspend(() => read),
  )
}

// The table is a constant of this package; Object.keys cannot know that it has no other keys.
export const names = Object.keys(table).filter((name): name is Name => name in table)

/** Every variable with its raw text, where it is set by itself or by `NAME_FILE`. */
const readText = Effect.fnUntraced(function* (name: Name) {
  const fs = yield* FileSystem.FileSystem
  const direct = yield* Effect.option(Config.String(name))
  const file = yield* Effect.option(Config.String(`${name}_FILE`))
  if (Option.isNone(file)) return Result.succeed(direct)
  if (Option.isSome(direct)) return Result.fail(`${name}_FILE and ${name} are both set; keep one of them`)
  const content = yield* Effect.option(fs.readFileString(file.value))
  return Option.match(content, {
    onNone: () => Result.fail(`${name}_FILE names ${file.value}, which cannot be read`),
    onSome: (text) => Result.succeed(Option.some(text.replace(/\r?\n$/, ""))),
  })
})

const read = Effect.gen(function* () {
  const faults: Array<string> = []
  const values: Record<string, unknown> = {}
  for (const name of names) {
    const setting: Setting<unknown> = table[name]
    values[name] = setting.fallback
    const text = yield* readText(name)
    if (Result.isFailure(text)) faults.push(text.failure)
    else if (Option.isSome(text.success)) {
      const value = setting.parse(text.success.value)
      if (Result.isSuccess(value)) values[name] = value.success
      else faults.push(`${name} ${value.failure}`)
    }
  }
  // Each entry was filled from the parser or the fallback of that same entry: exactly what Values says.
  const all = values as Values
  const everyFault = [...faults, ...faultsOf(all)]
  if (everyFault.length > 0) return yield* new SettingsFault({ faults: everyFault })
  return all
})

const shownValue = (value: unknown): string => {
  if (Redacted.isRedacted(value)) return "<redacted>"
  if (Duration.isDuration(value)) return `${Duration.toSeconds(value)} s`
  if (value instanceof Map)
    return [...value.entries()].map(([key, part]) => `${String(key)}:${shownValue(part)}`).join(",")
  if (IpNetwork.isIpNetwork(value)) return IpNetwork.format(value)
  if (Array.isArray(value)) return value.map(shownValue).join(",")
  // A URL may hold a password.
  if (typeof value === "string") return value.replace(/^([a-z+]+:\/\/[^:@/]*):[^@/]*@/, "$1:<redacted>@")
  return typeof value === "object" ? JSON.stringify(value) : String(value)
}

/** `NAME=value` lines, secrets left out; what is unset is said in words. */
export const describe = (values: Values): ReadonlyArray<string> =>
  names.map((name) => {
    const value: unknown = values[name]
    return value === undefined ? `# ${name}: ${table[name].unset}` : `${name}=${shownValue(value)}`
  })
  if (isRate(value)) return shownRate(value)
