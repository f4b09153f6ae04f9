/**
 * Ends a job whose output outgrows the machine: a storage that takes segments slower than ffmpeg makes them, or an
 * encoder that keeps to no rate, must not fill the disk that other jobs and services live on.
 */
import { statfs } from "node:fs/promises"
import { TransientError } from "@armoricore/domain/Errors"
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir"
import { Duration, Effect, FileSystem, Path } from "effect"
import type { EncodingPlan } from "./EncodingPlan.ts"
import { audioCodec } from "./codecs/Codecs.ts"

export interface DiskQuota {
  /** What ffmpeg writes below. */
  readonly folder: string
  /** The most that may lie there, in bytes. */
  readonly maxBytes: number
  /** Bytes that must stay free on its disk. */
  readonly minFreeBytes: number
}

/** Twice what the declared rates come to over the whole length, where nothing of it could be stored meanwhile. */
export const estimate = ({ info, renditions }: EncodingPlan): number => {
  const kilobits = renditions.reduce((sum, one) => sum + one.kilobits, info.audioTracks.length * audioCodec.kilobits)
  return 500e6 + ((kilobits * 1000) / 8) * info.duration * 2
}

const checkInterval = Duration.seconds(2)

/** Looks as long as it is let; ends only with a failure. */
export const enforce = Effect.fnUntraced(function* (request: DiskQuota) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const size = Effect.gen(function* () {
    const names = yield* mapDiskErrors(fs.readDirectory(request.folder, { recursive: true }))
    let sum = 0
    for (const name of names) {
      // Uploaded segments are removed meanwhile.
      const found = yield* Effect.option(fs.stat(path.join(request.folder, name)))
      if (found._tag === "Some" && found.value.type === "File") sum += Number(found.value.size)
    }
    return sum
  })
  const check = Effect.gen(function* () {
    const taken = yield* size
    if (taken > request.maxBytes) {
      return yield* new TransientError({
        dependency: "disk",
        code: "quota",
        message: `the output takes ${taken} bytes of the work folder, at most ${request.maxBytes}`,
      })
    }
    const free = yield* freeBytes(request.folder)
    if (free < request.minFreeBytes) {
      return yield* new TransientError({
        dependency: "disk",
        code: "full",
        message: `the work folder's disk has ${free} bytes free while encoding, and ${request.minFreeBytes} must stay free`,
      })
    }
  })
  return yield* Effect.forever(Effect.andThen(check, Effect.sleep(checkInterval)))
})

/** Fails where so many more bytes would leave less free than `free`. */
export const ensureFree = Effect.fnUntraced(function* (
  folder: string,
  bytes: number,
  minFreeBytes: number,
  purpose: string,
) {
  const now = yield* freeBytes(folder)
  if (now >= bytes + minFreeBytes) return
  return yield* new TransientError({
    dependency: "disk",
    code: "full",
    message: `the work folder has ${now} bytes free and ${purpose} needs ${bytes + minFreeBytes}`,
  })
})

/** Ends it where others fill the disk meanwhile; it may itself take what it likes. */
export const withMinFree =
  (folder: string, minFreeBytes: number) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.raceFirst(effect, enforce({ folder, maxBytes: Number.POSITIVE_INFINITY, minFreeBytes: minFreeBytes / 2 }))

/** What the platform's file system does not tell. */
export const freeBytes = (folder: string) =>
  Effect.tryPromise({
    try: () => statfs(folder),
    catch: (cause) =>
      new TransientError({ dependency: "disk", code: "unavailable", message: "the work folder is gone", cause }),
  }).pipe(Effect.map(({ bavail, bsize }) => bavail * bsize))
