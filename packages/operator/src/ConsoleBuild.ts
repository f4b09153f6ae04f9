/**
 * The console's files. In a checkout they are built from the sources the first time somebody asks for the page, and
 * again after the sources have changed; whoever installed the package got them built.
 *
 * The build runs in a process of its own, so that its memory goes with it.
 */
import { Data, Effect, FileSystem, Path } from "effect"
import { ChildProcess, type ChildProcessSpawner } from "effect/process"
import { createHash } from "node:crypto"
import { fileURLToPath } from "node:url"

/** There is no console to show; `message` says what to do. */
export class NotBuilt extends Data.TaggedError("NotBuilt")<{ readonly message: string }> {}

const sources = fileURLToPath(new URL(".", import.meta.url))
const built = fileURLToPath(new URL("../console", import.meta.url))
/** What the page is made of, below the sources of this package. */
const parts = ["console", "api", "OperatorApi.ts"]
const stamp = "built-from.txt"
const patience = "2 minutes"

/** The folder with `index.html`, built where that is needed. */
export const folder: Effect.Effect<
  string,
  NotBuilt,
  FileSystem.FileSystem | Path.Path | ChildProcessSpawner.ChildProcessSpawner
> = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  const known = yield* Effect.option(fs.readFileString(join(built, stamp)))
  const wanted = yield* Effect.option(fingerprint)
  // Without sources it is an installed package: what it brought is right.
  if (known._tag === "Some" && (wanted._tag === "None" || wanted.value === known.value)) return built
  if (wanted._tag === "None")
    return yield* new NotBuilt({ message: "this installation has no console: install it again" })
  const building = Effect.andThen(
    build,
    Effect.mapError(fs.writeFileString(join(built, stamp), wanted.value), unwritable),
  )
  // An older page is better than none.
  yield* known._tag === "None"
    ? building
    : Effect.catchTag(building, "NotBuilt", ({ message }) =>
        Effect.logWarning(`the console stays as it was: ${message}`),
      )
  return built
})

const unwritable = ({ message }: { readonly message: string }) =>
  new NotBuilt({ message: `the console cannot be written to ${built}: ${message}` })

const fingerprint = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  const hash = createHash("sha256")
  for (const part of parts) {
    const at = join(sources, part)
    const info = yield* fs.stat(at)
    const files = info.type === "Directory" ? (yield* fs.readDirectory(at, { recursive: true })).sort() : [""]
    for (const file of files) {
      const path = join(at, file)
      if ((yield* fs.stat(path)).type !== "File") continue
      hash.update(`${part}/${file}\n`).update(yield* fs.readFile(path))
    }
  }
  return hash.digest("hex")
})

/** Where the program that builds it is, as Node finds packages. */
const builder = Effect.try({
  try: () => fileURLToPath(new URL("bin/vite.js", import.meta.resolve("vite/package.json"))),
  catch: () =>
    new NotBuilt({
      message: "the console is not built, and what builds it is not installed: run `npm ci` in the checkout",
    }),
})

const build = Effect.gen(function* () {
  yield* Effect.logInfo("building the console")
  const program = yield* builder
  const args = [program, "build", `${sources}console`, "--outDir", built, "--emptyOutDir", "--base", "/console/"]
  const child = yield* ChildProcess.make(process.execPath, [...args, "--logLevel", "warn"], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
    forceKillAfter: "2 seconds",
  })
  const code = yield* child.exitCode
  if (code !== 0)
    return yield* new NotBuilt({ message: `the console could not be built (exit code ${code}); the log says why` })
}).pipe(
  Effect.scoped,
  Effect.timeoutOrElse({
    duration: patience,
    orElse: () => Effect.fail(new NotBuilt({ message: `the console was not built within ${patience}` })),
  }),
  Effect.catchTag("PlatformError", ({ message }) =>
    Effect.fail(new NotBuilt({ message: `the console could not be built: ${message}` })),
  ),
)
