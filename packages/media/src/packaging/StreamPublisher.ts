/**
 * Completes a stream whose segments and pictures are uploaded: the renditions' playlists, then a look at everything in
 * storage, and last the manifests, so that nobody who finds one finds anything missing behind it.
 */
import type { EncodingPlan } from "../encode/EncodingPlan.ts"
import { basename } from "node:path/posix"
import { TransientError } from "@armoricore/domain/Errors"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, FileSystem, Stream } from "effect"
import * as DashManifest from "./DashManifest.ts"
import { failure } from "../pipeline/Failures.ts"
import * as FfmpegCommand from "../encode/FfmpegCommand.ts"
import * as MasterPlaylist from "./MasterPlaylist.ts"
import * as MediaPlaylist from "./MediaPlaylist.ts"
import type { Segment } from "./MediaPlaylist.ts"
import { isAudio } from "./Mp4.ts"
import * as StillImages from "./StillImages.ts"
import { retryTransient, immutableCacheControl, initName, type UploadedTrack } from "./SegmentUploader.ts"
import * as Storyboard from "./Storyboard.ts"
import * as StreamInventory from "./StreamInventory.ts"

/** A stream that can be played. What are no figures are keys of objects. */
export interface PublishedStream {
  readonly master: string
  readonly dash: string
  readonly thumbnails: ReadonlyArray<string>
  readonly poster: string | undefined
  readonly storyboard: string | undefined
  /** Of a photo: a picture for each rendition. */
  readonly images: Readonly<Record<string, string>>
  /** Files for download by rendition. */
  readonly mp4: Readonly<Record<string, string>>
  /** Largest first. */
  readonly renditions: ReadonlyArray<MasterPlaylist.VideoRendition>
  readonly audioTracks: ReadonlyArray<MasterPlaylist.AudioTrack>
  /** Its length. */
  readonly seconds: number
}

export interface Target {
  readonly bucket: string
  /** Ends with a slash. */
  readonly prefix: string
  /** Objects put at once. */
  readonly concurrency: number
  /** Offers the sound by itself too. */
  readonly audioOnly: boolean
  /** Local files for download by rendition. */
  readonly mp4: Readonly<Record<string, string>>
}

/** What of a stream is in storage already. */
export interface StoredStream {
  readonly uploadedTracks: ReadonlyArray<UploadedTrack>
  /** Keys and sizes of its segments. */
  readonly objects: ReadonlyMap<string, number>
  readonly stillImages: StillImages.StillImages
}

export const masterName = "master.m3u8"

/** Playlists of one version never change either, but a minute lets an operator withdraw one. */
const playlistCacheControl = "public, max-age=60"
export const playlistType = "application/vnd.apple.mpegurl"

export const publish = Effect.fn("StreamPublisher.publish")(function* (
  plan: EncodingPlan,
  stored: StoredStream,
  target: Target,
) {
  const fs = yield* FileSystem.FileSystem
  const storage = yield* ObjectStorage
  const concurrency = { concurrency: target.concurrency }
  const { stillImages } = stored
  const sizes = new Map(stored.objects)
  for (const [name, bytes] of stillImages) sizes.set(`${target.prefix}${name}`, bytes)

  const inventory = yield* validateInventory(plan, stored.uploadedTracks)

  const put = (name: string, text: string, contentType: string) => {
    const key = `${target.prefix}${name}`
    const bytes = new TextEncoder().encode(text)
    return Effect.map(
      storage
        .put<never, never>({ bucket: target.bucket, key }, bytes, { contentType, cacheControl: playlistCacheControl })
        .pipe(retryTransient),
      (info) => {
        sizes.set(key, info.size)
        return key
      },
    )
  }
  const keysIn = (folder: string) => StillImages.namesIn(stillImages, folder).map((name) => `${target.prefix}${name}`)

  const thumbnails = keysIn("thumbnails")
  const poster = stillImages.has(FfmpegCommand.posterName) ? `${target.prefix}${FfmpegCommand.posterName}` : undefined
  const images = Object.fromEntries(keysIn("images").map((key) => [basename(key, ".jpg"), key]))
  const sprites = keysIn(Storyboard.folder)
  const board = sprites.length === 0 ? undefined : plan.storyboard
  const lastFrameAt = inventory.seconds - plan.frameRate.den / plan.frameRate.num
  const storyboard =
    board === undefined
      ? undefined
      : yield* put(Storyboard.vttName, Storyboard.render(board, lastFrameAt, inventory.seconds), "text/vtt")

  const mp4: Record<string, string> = {}
  for (const [name, file] of Object.entries(target.mp4)) {
    const key = `${target.prefix}mp4/${name}.mp4`
    const info = yield* storage.put({ bucket: target.bucket, key }, diskStream(fs.stream(file)), {
      contentType: "video/mp4",
      cacheControl: immutableCacheControl,
    })
    sizes.set(key, info.size)
    mp4[name] = key
  }

  yield* Effect.forEach(
    inventory.tracks,
    ({ folder, segments, track }) =>
      Effect.gen(function* () {
        const text = MediaPlaylist.render(initName, segments)
        yield* put(`${folder}/${FfmpegCommand.playlistName}`, text, playlistType)
        if (isAudio(track)) return
        const scrubbing = MediaPlaylist.renderIFrames(initName, segments)
        yield* put(`${folder}/${MasterPlaylist.iFramePlaylistName}`, scrubbing, playlistType)
      }),
    { ...concurrency, discard: true },
  )

  // One listing tells of a thousand segments; asking for each would cost a request a segment.
  const found = new Map<string, number>()
  yield* Stream.runForEach(storage.list(target.bucket, target.prefix), ({ key, size }) =>
    Effect.sync(() => found.set(key, size)),
  )
  const missing = [...sizes].find(([key, size]) => found.get(key) !== size)?.[0]
  if (missing !== undefined) return yield* missingObject(missing)

  const dash = yield* put(
    DashManifest.manifestName,
    DashManifest.render({
      ...inventory,
      storyboard: board === undefined ? undefined : { board, spriteCount: sprites.length },
    }),
    "application/dash+xml",
  )
  const text = MasterPlaylist.render(inventory.renditions, inventory.audioTracks, { audioOnly: target.audioOnly })
  const master = yield* put(masterName, text, playlistType)
  yield* Effect.forEach([dash, master], (key) =>
    storage
      .head({ bucket: target.bucket, key })
      .pipe(Effect.catchTag("NotFound", () => Effect.fail(missingObject(key)))),
  )
  return { ...inventory, master, dash, thumbnails, poster, storyboard, images, mp4 } satisfies PublishedStream
})

/** What ffmpeg really made of the plan, whole or not at all; less than the source promised means that the source is damaged. */
export const validateInventory = Effect.fnUntraced(function* (
  plan: EncodingPlan,
  uploadedTracks: ReadonlyArray<UploadedTrack>,
) {
  const { tracks, audioTracks, renditions } = StreamInventory.fromUploaded(plan, uploadedTracks)
  const main = renditions[0] ?? audioTracks[0]
  if (main === undefined || renditions.length < plan.renditions.length) {
    return yield* failure("corrupt_media", "nothing in it could be decoded")
  }
  const seconds = MediaPlaylist.totalSeconds(main.segments)
  // Where a file states one length for all its tracks, the picture may end before the sound.
  const longest = Math.max(...[...renditions, ...audioTracks].map((part) => MediaPlaylist.totalSeconds(part.segments)))
  // Nothing promises how long these are.
  const promised = /^mpeg(ts)?$/.test(plan.info.format) ? 0 : plan.info.mainDuration
  if (longest < promised * 0.9 - 0.5) {
    return yield* failure("corrupt_media", `it ends after ${longest.toFixed(1)} of ${promised.toFixed(1)} s`)
  }
  // Players change renditions between segments; the next try encodes what was copied here.
  if (
    plan.passthrough?.video !== undefined &&
    !renditions.every(({ segments }) => haveSameDurations(segments, main.segments))
  ) {
    return yield* new TransientError({
      dependency: "ffmpeg",
      code: "misaligned",
      message: "the segments of the copied picture are not those of the encoded ones",
    })
  }
  return { tracks, renditions, audioTracks, seconds }
})

const haveSameDurations = (some: ReadonlyArray<Segment>, others: ReadonlyArray<Segment>): boolean =>
  some.length === others.length &&
  // The last may be a frame longer.
  some.slice(0, -1).every(({ seconds }, index) => Math.abs(seconds - (others[index]?.seconds ?? 0)) < 0.02)

const diskStream = <E>(stream: Stream.Stream<Uint8Array, E>) =>
  Stream.mapError(
    stream,
    (cause) =>
      new TransientError({ dependency: "disk", code: "unavailable", message: "the work folder failed", cause }),
  )

const missingObject = (key: string) =>
  new TransientError({
    dependency: "storage",
    code: "object_missing",
    message: `${key} was put and is not there in full`,
  })
