/**
 * Secrets that the program makes for itself where none is configured: random, kept in the data folder, readable by
 * its owner alone. There is no default secret anywhere.
 */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { Effect, FileSystem, Path, type PlatformError, Redacted } from "effect"
import { Settings } from "../settings/Settings.ts"

const randomSecret = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")

/**
 * Part by part, because Node's own recursive mkdir never returns below file systems that refuse new folders with
 * "no such file" (`/proc`).
 */
const makePrivateDirectory = (
  folder: string,
): Effect.Effect<void, PlatformError.PlatformError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    if (yield* fs.exists(folder)) return
    const above = (yield* Path.Path).dirname(folder)
    if (above !== folder) yield* makePrivateDirectory(above)
    yield* fs.makeDirectory(folder, { mode: 0o700 }).pipe(
      // Another process that starts at the same time may have been first.
      Effect.catchReason("PlatformError", "AlreadyExists", () => Effect.void),
    )
  })

/** The secret of this name; made and logged (without its value) where there is none yet. */
export const generatedSecret = Effect.fnUntraced(function* (name: "jwt" | "storage-urls", what: string) {
  const fs = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  const folder = join((yield* Settings).ARMORICORE_DATA_DIR, "secrets")
  const file = join(folder, name)
  const read = fs.readFileString(file)
  return yield* Effect.gen(function* () {
    if (!(yield* fs.exists(file))) {
      yield* makePrivateDirectory(folder)
      const draft = `${file}.${crypto.randomUUID()}`
      yield* fs.writeFileString(draft, randomSecret(), { mode: 0o600 })
      // A link fails where the name is taken: of two that start at once, both go on with the first one's secret.
      const won = yield* fs.link(draft, file).pipe(
        Effect.as(true),
        Effect.catchReason("PlatformError", "AlreadyExists", () => Effect.succeed(false)),
      )
      yield* fs.remove(draft)
      if (won) yield* Effect.logInfo(`made ${what} of its own and keeps it in ${file}`)
    }
    return Redacted.make(yield* read)
  }).pipe(
    Effect.mapError(
      (cause) =>
        new ConfigurationError({
          setting: "ARMORICORE_DATA_DIR",
          message: `ARMORICORE_DATA_DIR: ${folder} cannot be made or written; name a folder this user may write (${cause.message})`,
          cause,
        }),
    ),
  )
})
