/**
 * Completes a stream whose segments are uploaded: thumbnails, the renditions' playlists, then a look at everything in
 * storage, and last the master playlist, so that nobody who finds it finds anything missing behind it.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, FileSystem, Path, Stream } from "effect"
import { failure } from "./Failures.ts"
import * as FfmpegCommand from "./FfmpegCommand.ts"
import * as MasterPlaylist from "./MasterPlaylist.ts"
import * as MediaPlaylist from "./MediaPlaylist.ts"
import { immutable, initName, type SegmentUploader, type Uploaded } from "./SegmentUploader.ts"
import { diskTrouble } from "@armoricore/ffmpeg/WorkFolder"

/** A stream that can be played. */
export interface PublishedStream {
  /** Keys of objects. */
  readonly master: string
  readonly thumbnails: ReadonlyArray<string>
  /** Largest first. */
  readonly variants: ReadonlyArray<MasterPlaylist.Variant>
  readonly sound: MasterPlaylist.Sound | undefined
  /** Its length. */
  readonly seconds: number
}

export interface Target {
  readonly bucket: string
  /** Ends with a slash. */
  readonly prefix: string
  /** The local folder that ffmpeg wrote to. */
  readonly from: string
  /** Objects put at once. */
  readonly concurrency: number
}

export const masterName = "master.m3u8"

/** Playlists of one version never change either, but a minute lets an operator withdraw one. */
const playlistOptions = { contentType: "application/vnd.apple.mpegurl", cacheControl: "public, max-age=60" }

export const publish = Effect.fn("StreamPublisher.publish")(function* (
  plan: FfmpegCommand.Plan,
  uploader: SegmentUploader,
  target: Target,
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const storage = yield* ObjectStorage
  const concurrency = { concurrency: target.concurrency }

  const made = yield* assemble(plan, uploader.uploaded())

  const pictures = path.join(target.from, "thumbnails")
  const thumbnails = yield* Effect.forEach(
    [...(yield* diskTrouble(fs.readDirectory(pictures)))].sort(),
    (name) =>
      Effect.gen(function* () {
        const key = `${target.prefix}thumbnails/${name}`
        const bytes = yield* diskTrouble(fs.readFile(path.join(pictures, name)))
        const options = { contentType: "image/jpeg", cacheControl: immutable }
        yield* storage.put<never, never>({ bucket: target.bucket, key }, bytes, options)
        return key
      }),
    concurrency,
  )

  const putPlaylist = (key: string, text: string) =>
    storage.put<never, never>({ bucket: target.bucket, key }, new TextEncoder().encode(text), playlistOptions)
  const playlists = yield* Effect.forEach(
    made.parts,
    ({ folder, segments }) => {
      const key = `${target.prefix}${folder}/${FfmpegCommand.playlistName}`
      return Effect.as(putPlaylist(key, MediaPlaylist.render(initName, segments)), key)
    },
    concurrency,
  )

  const head = (key: string) =>
    storage.head({ bucket: target.bucket, key }).pipe(Effect.catchTag("NotFound", () => Effect.fail(lost(key))))
  // One listing tells of a thousand segments; asking for each would cost a request a segment.
  const sizes = new Map<string, number>()
  yield* Stream.runForEach(storage.list(target.bucket, target.prefix), ({ key, size }) =>
    Effect.sync(() => sizes.set(key, size)),
  )
  const missing = [...uploader.objects()].find(([key, size]) => sizes.get(key) !== size)?.[0]
  if (missing !== undefined) return yield* lost(missing)
  yield* Effect.forEach([...thumbnails, ...playlists], head, { ...concurrency, discard: true })

  const master = `${target.prefix}${masterName}`
  yield* putPlaylist(master, MasterPlaylist.render(made.variants, made.sound))
  yield* head(master)
  return { ...made, master, thumbnails } satisfies PublishedStream
})

/** What ffmpeg really made of the plan; less than the source promised means that the source is damaged. */
const assemble = Effect.fnUntraced(function* (plan: FfmpegCommand.Plan, uploaded: ReadonlyArray<Uploaded>) {
  const parts = uploaded.filter(({ segments }) => segments.length > 0)
  const variants = plan.renditions.flatMap(({ name, width, height }): ReadonlyArray<MasterPlaylist.Variant> => {
    const part = parts.find(({ folder }) => folder === name)
    if (part === undefined) return []
    return [{ name, width, height, frameRate: plan.frameRate, codec: part.track.codec, segments: part.segments }]
  })
  const audio = parts.find(({ folder }) => folder === FfmpegCommand.audioFolder)
  const sound = audio === undefined ? undefined : { codec: audio.track.codec, segments: audio.segments }
  const main = variants[0] ?? sound
  if (main === undefined || variants.length < plan.renditions.length) {
    return yield* failure("corrupt_media", "nothing in it could be decoded")
  }
  const seconds = MediaPlaylist.totalSeconds(main.segments)
  const promised = plan.info.mainDuration
  if (seconds < promised * 0.9 - 0.5) {
    return yield* failure("corrupt_media", `it ends after ${seconds.toFixed(1)} of ${promised.toFixed(1)} s`)
  }
  return { parts, variants, sound, seconds }
})

const lost = (key: string) =>
  new TransientError({ dependency: "storage", code: "lost", message: `${key} was put and is not there in full` })
