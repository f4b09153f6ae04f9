/**
 * Settings that change while the program runs: a mounted secret was replaced, or the secret store has another value.
 * They are read again now and then; what changed is told by name, never by value.
 *
 * A certificate is taken over in place (`Server`), keys of a JWKS too. All else holds from the next start, so with
 * `SETTINGS_ON_CHANGE=drain` the program ends in order and its supervisor starts it with the new values.
 */
import { Duration, Effect, Result, Schedule } from "effect"
import { Settings, type RawValues, loadRawSettings, RawSettings } from "../settings/Settings.ts"
import type { SettingName } from "../settings/Table.ts"

const changedNames = (before: RawValues, after: RawValues): ReadonlyArray<SettingName> => {
  const textOf = (from: RawValues, name: SettingName) => {
    const text = from.get(name)
    return text === undefined || Result.isFailure(text) ? undefined : text.success
  }
  return [...after.keys(), ...before.keys()].filter(
    (name, index, all) => all.indexOf(name) === index && textOf(before, name) !== textOf(after, name),
  )
}

/** Returns when the program should end for the sake of changed settings; never, where it should not. */
export const awaitChange = Effect.gen(function* () {
  const { SETTINGS_ON_CHANGE: onChange, SETTINGS_REFRESH_INTERVAL: every } = yield* Settings
  if (Duration.toMillis(every) <= 0) return yield* Effect.never
  let known = yield* RawSettings
  for (;;) {
    yield* Effect.sleep(every)
    const now = yield* readWithRetry
    const changedSettings = changedNames(known, now)
    known = now
    if (changedSettings.length === 0) continue
    const settings = changedSettings.join(", ")
    if (onChange === "drain") {
      yield* Effect.logInfo(`${settings} changed: ending in order, to be started again with the new values`)
      return
    }
    yield* Effect.logWarning(
      `${settings} changed; it holds from the next start (SETTINGS_ON_CHANGE=drain ends the program by itself)`,
    )
  }
})

/** A store that is away for a while changes nothing. */
const readWithRetry = loadRawSettings.pipe(
  Effect.tapError((error) => Effect.logWarning(`settings cannot be read again: ${error.message}`)),
  Effect.retry(Schedule.spaced("1 minute")),
)
