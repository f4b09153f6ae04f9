/**
 * Thumbnails, the poster, sprites for seeking and a photo's sizes: local files of one folder, put under the same names.
 * They come out of the run that encodes; where only they are missing, a run of their own makes them, without encoding.
 */
import type { EncodingPlan } from "../encode/EncodingPlan.ts"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Duration, Effect, FileSystem, Path } from "effect"
import * as FfmpegCommand from "../encode/FfmpegCommand.ts"
import * as FfmpegExit from "../encode/FfmpegExit.ts"
import { retryTransient, immutableCacheControl } from "./SegmentUploader.ts"
import * as ToneMap from "../encode/ToneMap.ts"

/** Bytes by name, such as `thumbnails/01.jpg`; ascending. */
export type StillImages = ReadonlyMap<string, number>

export const contentType = "image/jpeg"

/** Names of the pictures in one of `FfmpegCommand.pictureFolders`. */
export const namesIn = (pictures: StillImages, folder: string): ReadonlyArray<string> =>
  [...pictures.keys()].filter((name) => name.startsWith(`${folder}/`))

export interface Target {
  /** The local folder that ffmpeg wrote to. */
  readonly from: string
  readonly bucket: string
  /** Ends with a slash. */
  readonly prefix: string
  readonly concurrency: number
}

export const upload = Effect.fn("Pictures.put")(function* (target: Target) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const storage = yield* ObjectStorage
  const names: Array<string> = []
  for (const folder of FfmpegCommand.stillImageFolders) {
    const found = yield* mapDiskErrors(fs.readDirectory(path.join(target.from, folder)))
    names.push(...[...found].sort().map((name) => `${folder}/${name}`))
  }
  const { posterName } = FfmpegCommand
  if (yield* mapDiskErrors(fs.exists(path.join(target.from, posterName)))) names.push(posterName)
  const sizes = yield* Effect.forEach(
    names.filter((name) => isPublished(name, names)),
    Effect.fnUntraced(function* (name) {
      const bytes = yield* mapDiskErrors(fs.readFile(path.join(target.from, name)))
      const ref = { bucket: target.bucket, key: `${target.prefix}${name}` }
      yield* storage
        .put<never, never>(ref, bytes, { contentType, cacheControl: immutableCacheControl })
        .pipe(retryTransient)
      return [name, bytes.byteLength] as const
    }),
    { concurrency: target.concurrency },
  )
  return new Map(sizes) satisfies StillImages
})

/** The first thumbnail is the first frame, which few want to see: it counts only where it is the only one. */
const isPublished = (name: string, names: ReadonlyArray<string>): boolean => {
  const thumbnails = names.filter((one) => one.startsWith("thumbnails/"))
  return thumbnails.length < 2 || name !== thumbnails[0]
}

export interface Request {
  /** The source's local file. */
  readonly input: string
  /** Where they are written. */
  readonly output: string
  readonly memoryLimit: number
}

/** The folders that pictures are written to, and what colours are mapped by. */
export const prepare = Effect.fnUntraced(function* (plan: EncodingPlan, output: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  yield* Effect.forEach(FfmpegCommand.stillImageFolders, (name) =>
    mapDiskErrors(fs.makeDirectory(path.join(output, name), { recursive: true })),
  )
  yield* ToneMap.prepare(plan, output)
})

/** Makes those of a moving picture or a photo; needs what `prepare` makes. */
export const make = Effect.fn("Pictures.make")(function* (
  plan: EncodingPlan,
  request: Request & { readonly stuckAfter: Duration.Duration; readonly limit: Duration.Duration },
) {
  if (plan.renditions.length === 0) return
  const ended = yield* Ffmpeg.run({
    args: FfmpegCommand.imagesOnlyArgs(plan, request.input),
    cwd: request.output,
    onProgress: () => Effect.void,
    stallTimeout: request.stuckAfter,
    timeout: request.limit,
    memoryLimit: request.memoryLimit,
  })
  if (ended.code !== 0) return yield* FfmpegExit.classify(ended, { hasMemoryLimit: true })
})

/** The picture on a sound file, as its poster; a broken one is no reason to refuse the sound. */
export const makeCoverPoster = Effect.fnUntraced(function* (plan: EncodingPlan, request: Request) {
  const { cover, video } = plan.info
  if (video !== undefined || cover === undefined) return
  yield* Ffmpeg.run({
    args: FfmpegCommand.coverArgs(cover, request.input),
    cwd: request.output,
    onProgress: () => Effect.void,
    stallTimeout: Duration.seconds(20),
    timeout: Duration.minutes(1),
    memoryLimit: request.memoryLimit,
  }).pipe(
    Effect.tap((ended) => (ended.code === 0 ? Effect.void : Effect.logInfo("the cover picture is broken"))),
    Effect.catch((error) => Effect.logInfo("the cover picture was not made", { error })),
  )
})
