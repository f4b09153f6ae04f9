/**
 * Fails a job whose output takes too much disk space. If the storage accepts segments more slowly than ffmpeg writes them,
 * or if an encoder exceeds its bit rate, the job must not fill a disk that other jobs and services need.
 */
import { statfs } from "node:fs/promises"
import { TransientError } from "@armoricore/domain/Errors"
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir"
import { Duration, Effect, FileSystem, Path } from "effect"
import { encodedChannels, type EncodingPlan } from "./EncodingPlan.ts"
import { audioCodec } from "./codecs/Codecs.ts"

export interface DiskQuota {
  /** The folder that ffmpeg writes to. */
  readonly folder: string
  /** The most bytes that the folder may contain. */
  readonly maxBytes: number
  /** Bytes that must stay free on the disk of the folder. */
  readonly minFreeBytes: number
}

/** Bytes for an output that is not uploaded before its end: twice the declared bit rates over the whole duration. */
export const estimate = ({ info, renditions }: EncodingPlan): number => {
  const kilobits = renditions.reduce(
    (sum, rendition) => sum + rendition.kilobits,
    info.audioTracks.reduce((total, track) => total + audioCodec.kilobits(encodedChannels(track)), 0),
  )
  return 500e6 + ((kilobits * 1000) / 8) * info.duration * 2
}

const checkInterval = Duration.seconds(2)

/** Checks the folder until it is interrupted. It never succeeds. */
export const enforce = Effect.fnUntraced(function* (request: DiskQuota) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const size = Effect.gen(function* () {
    const names = yield* mapDiskErrors(fs.readDirectory(request.folder, { recursive: true }))
    let sum = 0
    for (const name of names) {
      // The uploader may remove a segment at any time.
      const info = yield* Effect.option(fs.stat(path.join(request.folder, name)))
      if (info._tag === "Some" && info.value.type === "File") sum += Number(info.value.size)
    }
    return sum
  })
  const check = Effect.gen(function* () {
    const used = yield* size
    if (used > request.maxBytes) {
      yield* Effect.logWarning("The output of an upload is too large for the work folder", {
        used,
        limit: request.maxBytes,
      })
      return yield* new TransientError({
        dependency: "disk",
        code: "quota",
        message: "the output takes more of the work folder than one upload may use",
      })
    }
    const free = yield* freeBytes(request.folder)
    if (free < request.minFreeBytes) {
      return yield* full("the work", free, request.minFreeBytes)
    }
  })
  return yield* Effect.forever(Effect.andThen(check, Effect.sleep(checkInterval)))
})

/** Fails if less than `minFreeBytes` would stay free after writing `bytes`. */
export const ensureFree = Effect.fnUntraced(function* (
  folder: string,
  bytes: number,
  minFreeBytes: number,
  purpose: string,
) {
  const free = yield* freeBytes(folder)
  if (free < bytes + minFreeBytes) return yield* full(purpose, free, bytes + minFreeBytes)
})

/** The person who uploaded the file gets the message. The numbers are for the operator. */
const full = (purpose: string, free: number, needed: number) =>
  Effect.andThen(
    Effect.logWarning("The disk of the work folder is full", { purpose, free, needed }),
    Effect.fail(
      new TransientError({
        dependency: "disk",
        code: "full",
        message: `the server has too little free disk space for ${purpose}`,
      }),
    ),
  )

/** Fails the effect if free disk space falls below half of the minimum. The effect itself has no limit. */
export const withMinFree =
  (folder: string, minFreeBytes: number) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.raceFirst(effect, enforce({ folder, maxBytes: Number.POSITIVE_INFINITY, minFreeBytes: minFreeBytes / 2 }))

/** Effect's `FileSystem` has no `statfs`. */
export const freeBytes = (folder: string) =>
  Effect.tryPromise({
    try: () => statfs(folder),
    catch: (cause) =>
      new TransientError({
        dependency: "disk",
        code: "unavailable",
        message: "the work folder is not accessible",
        cause,
      }),
  }).pipe(Effect.map(({ bavail, bsize }) => bavail * bsize))
