/** Files that settings name by their path, such as the certificate of an authority: read at the start. */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { Effect, FileSystem } from "effect"

export const readSettingFile = Effect.fnUntraced(function* (setting: string, file: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* Effect.mapError(
    fs.readFileString(file),
    (cause) => new ConfigurationError({ setting, message: `${setting} names ${file}, which cannot be read`, cause }),
  )
})

/** Undefined where the setting is. */
export const readOptionalSettingFile = (setting: string, file: string | undefined) =>
  file === undefined ? Effect.undefined : readSettingFile(setting, file)
