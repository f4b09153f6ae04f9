/**
 * Folders for running jobs. Each is removed when its scope closes; those of a process that was killed are removed at
 * the next start. The parent folder may be shared by processes of one machine, not by machines.
 */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Context, Effect, FileSystem, Layer, Path, PlatformError, Result, type Scope } from "effect"
import { hostname, tmpdir } from "node:os"

export class ScratchDir extends Context.Service<
  ScratchDir,
  {
    /** An empty folder of one's own. */
    readonly make: Effect.Effect<string, TransientError, Scope.Scope>
  }
>()("@armoricore/ffmpeg/ScratchDir") {
  /** `parent` defaults to the system's folder for temporary files; it is created where it is missing. */
  static readonly layer = (parent: string = tmpdir()) =>
    Layer.effect(
      ScratchDir,
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = yield* Path.Path
        const own = path.join(parent, `${dirPrefix}${process.pid}-${crypto.randomUUID()}`)
        yield* fs.makeDirectory(own, { recursive: true }).pipe(Effect.mapError(unusableError(parent)))
        liveDirs.add(own)
        yield* Effect.addFinalizer(() =>
          Effect.andThen(
            Effect.ignore(fs.remove(own, { recursive: true, force: true })),
            Effect.sync(() => liveDirs.delete(own)),
          ),
        )
        for (const name of yield* fs.readDirectory(parent).pipe(Effect.mapError(unusableError(parent)))) {
          const folder = path.join(parent, name)
          if (!name.startsWith(dirPrefix) || !isOrphaned(name, folder)) continue
          yield* Effect.logInfo("removing what a killed process left", { folder })
          yield* Effect.ignore(fs.remove(folder, { recursive: true, force: true }))
        }
        return {
          make: fs.makeTempDirectoryScoped({ directory: own, prefix: "job-" }).pipe(
            Effect.mapError(
              (cause) =>
                new TransientError({
                  dependency: "disk",
                  code: "unavailable",
                  message: `no work folder can be made below ${parent}`,
                  cause,
                }),
            ),
          ),
        }
      }),
    )
}

/** Process ids mean nothing on another machine. */
const dirPrefix = `armoricore-work-${hostname().replaceAll(/[^A-Za-z0-9]/g, "")}-`

/** Folders of this process. In a container the next process often has the same id, so the id alone says nothing. */
const liveDirs = new Set<string>()

const isOrphaned = (name: string, folder: string): boolean => {
  const pid = Number.parseInt(name.slice(dirPrefix.length), 10)
  if (!Number.isInteger(pid)) return false
  if (pid === process.pid) return !liveDirs.has(folder)
  const alive = Result.try({ try: () => process.kill(pid, 0), catch: (cause) => cause })
  // EPERM: it lives and belongs to somebody else.
  return Result.isFailure(alive) && alive.failure instanceof Error && !alive.failure.message.includes("EPERM")
}

const unusableError = (parent: string) => (cause: unknown) =>
  new ConfigurationError({
    setting: "work folder",
    message: `The work folder ${parent} cannot be used: give the process the right to write there.`,
    cause,
  })

/** A disk that is full or gone is worth another try, perhaps on another machine. Other errors pass. */
export const mapDiskErrors = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.mapError(effect, (error) =>
    error instanceof PlatformError.PlatformError
      ? new TransientError({
          dependency: "disk",
          code: "unavailable",
          message: `the work folder failed: ${error.message}`,
          cause: error,
        })
      : // TypeScript does not take the class out of a type parameter; the line above just did.
        (error as Exclude<E, PlatformError.PlatformError>),
  )
