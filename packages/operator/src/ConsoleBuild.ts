/**
 * The files of the console. In a checkout they are built from source at the first request of the page, and again after
 * a change of the sources. An installed package contains the built files.
 *
 * The build runs in a child process, which frees its memory when it ends.
 */
import { Data, Effect, FileSystem, Path } from "effect"
import { ChildProcess, type ChildProcessSpawner } from "effect/process"
import { createHash } from "node:crypto"
import { fileURLToPath } from "node:url"

/** There is no console to show; `message` says what to do. */
export class BuildFailed extends Data.TaggedError("BuildFailed")<{ readonly message: string }> {}

const sourceFolder = fileURLToPath(new URL(".", import.meta.url))
const outputFolder = fileURLToPath(new URL("../console", import.meta.url))
/** The sources of the page, relative to this package. */
const sourcePaths = ["console", "api", "OperatorApi.ts"]
const fingerprintFile = "built-from.txt"
const buildTimeout = "2 minutes"

/** The folder with `index.html`, built where that is needed. */
export const consoleFolder: Effect.Effect<
  string,
  BuildFailed,
  FileSystem.FileSystem | Path.Path | ChildProcessSpawner.ChildProcessSpawner
> = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  const builtFingerprint = yield* Effect.option(fs.readFileString(join(outputFolder, fingerprintFile)))
  const currentFingerprint = yield* Effect.option(fingerprint)
  // Without sources it is an installed package: what it brought is right.
  if (
    builtFingerprint._tag === "Some" &&
    (currentFingerprint._tag === "None" || currentFingerprint.value === builtFingerprint.value)
  )
    return outputFolder
  if (currentFingerprint._tag === "None")
    return yield* new BuildFailed({ message: "this installation has no console: install it again" })
  const rebuild = Effect.andThen(
    build,
    Effect.mapError(fs.writeFileString(join(outputFolder, fingerprintFile), currentFingerprint.value), writeError),
  )
  // An older page is better than none.
  yield* builtFingerprint._tag === "None"
    ? rebuild
    : Effect.catchTag(rebuild, "BuildFailed", ({ message }) =>
        Effect.logWarning(`the console stays as it was: ${message}`),
      )
  return outputFolder
})

const writeError = ({ message }: { readonly message: string }) =>
  new BuildFailed({ message: `the console cannot be written to ${outputFolder}: ${message}` })

const fingerprint = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  const hash = createHash("sha256")
  for (const sourcePath of sourcePaths) {
    const at = join(sourceFolder, sourcePath)
    const info = yield* fs.stat(at)
    const files = info.type === "Directory" ? (yield* fs.readDirectory(at, { recursive: true })).sort() : [""]
    for (const file of files) {
      const path = join(at, file)
      if ((yield* fs.stat(path)).type !== "File") continue
      hash.update(`${sourcePath}/${file}\n`).update(yield* fs.readFile(path))
    }
  }
  return hash.digest("hex")
})

/** Where the program that builds it is, as Node finds packages. */
const viteProgram = Effect.try({
  try: () => fileURLToPath(new URL("bin/vite.js", import.meta.resolve("vite/package.json"))),
  catch: () =>
    new BuildFailed({
      message: "the console is not built, and what builds it is not installed: run `npm ci` in the checkout",
    }),
})

const build = Effect.gen(function* () {
  yield* Effect.logInfo("building the console")
  const program = yield* viteProgram
  const args = [
    program,
    "build",
    `${sourceFolder}console`,
    "--outDir",
    outputFolder,
    "--emptyOutDir",
    "--base",
    "/console/",
  ]
  const child = yield* ChildProcess.make(process.execPath, [...args, "--logLevel", "warn"], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
    forceKillAfter: "2 seconds",
  })
  const code = yield* child.exitCode
  if (code !== 0)
    return yield* new BuildFailed({ message: `the console could not be built (exit code ${code}); the log says why` })
}).pipe(
  Effect.scoped,
  Effect.timeoutOrElse({
    duration: buildTimeout,
    orElse: () => Effect.fail(new BuildFailed({ message: `the console was not built within ${buildTimeout}` })),
  }),
  Effect.catchTag("PlatformError", ({ message }) =>
    Effect.fail(new BuildFailed({ message: `the console could not be built: ${message}` })),
  ),
)
