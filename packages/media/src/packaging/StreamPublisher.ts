/**
 * Completes a stream whose segments and images are stored: it writes the media playlists, verifies every object of the
 * stream, and writes the manifests last. A player that finds a manifest therefore finds everything that it refers to.
 */
import type { EncodingPlan } from "../encode/EncodingPlan.ts"
import { basename } from "node:path/posix"
import { TransientError } from "@armoricore/domain/Errors"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, FileSystem, Stream } from "effect"
import * as CaptionRenditions from "../captions/CaptionRenditions.ts"
import * as EmbeddedSubtitles from "../captions/EmbeddedSubtitles.ts"
import * as Chapters from "./Chapters.ts"
import * as DashManifest from "./DashManifest.ts"
import { failure } from "../pipeline/Failures.ts"
import * as FfmpegCommand from "../encode/FfmpegCommand.ts"
import * as MasterPlaylist from "./MasterPlaylist.ts"
import * as MediaPlaylist from "./MediaPlaylist.ts"
import { isAudio } from "./Mp4.ts"
import * as KeyTags from "../protection/KeyTags.ts"
import * as StillImages from "./StillImages.ts"
import { retryTransient, immutableCacheControl, initName, type UploadedTrack } from "./SegmentUploader.ts"
import * as Storyboard from "./Storyboard.ts"
import * as StreamInventory from "./StreamInventory.ts"
import * as StreamTimes from "./StreamTimes.ts"
import * as TrackAlignment from "../encode/TrackAlignment.ts"

/** A complete stream. Strings are keys of objects. */
export interface PublishedStream {
  readonly master: string
  /** Undefined: the protection of the stream is one that DASH does not have. */
  readonly dash: string | undefined
  readonly thumbnails: ReadonlyArray<string>
  readonly poster: string | undefined
  readonly storyboard: string | undefined
  /** The images of a photo by rendition. */
  readonly images: Readonly<Record<string, string>>
  /** MP4 files for download by rendition. */
  readonly mp4: Readonly<Record<string, string>>
  /** Largest first. */
  readonly renditions: ReadonlyArray<MasterPlaylist.VideoRendition>
  readonly audioTracks: ReadonlyArray<MasterPlaylist.AudioTrack>
  /** The duration. */
  readonly seconds: number
}

export interface Target {
  readonly bucket: string
  /** Ends with a slash. */
  readonly prefix: string
  /** Concurrent uploads. */
  readonly concurrency: number
  /** Adds a variant with audio only. */
  readonly audioOnly: boolean
  /** The name of files for download, without rendition and ending. */
  readonly downloadName: string
  /** Local files for download by rendition. */
  readonly mp4: Readonly<Record<string, string>>
}

/** The stored objects of a stream that has no playlists yet. */
export interface StoredStream {
  readonly uploadedTracks: ReadonlyArray<UploadedTrack>
  /** Sizes of the segments by key. */
  readonly objects: ReadonlyMap<string, number>
  readonly stillImages: StillImages.StillImages
}

export const masterName = "master.m3u8"

/** The playlists of a version never change. The short lifetime lets an operator withdraw one. */
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

  const chapters = plan.info.chapters === undefined ? undefined : Chapters.fileName
  if (plan.info.chapters !== undefined)
    yield* put(Chapters.fileName, Chapters.render(plan.info.chapters), "application/json")

  const mp4: Record<string, string> = {}
  for (const [name, file] of Object.entries(target.mp4)) {
    const key = `${target.prefix}mp4/${name}.mp4`
    const info = yield* storage.put({ bucket: target.bucket, key }, diskStream(fs.stream(file)), {
      contentType: "video/mp4",
      cacheControl: immutableCacheControl,
      contentDisposition: attachment(`${target.downloadName}-${name}.mp4`),
    })
    sizes.set(key, info.size)
    mp4[name] = key
  }

  const keys = yield* KeyTags.make(plan.protection, target.bucket, target.prefix)
  yield* Effect.forEach(
    inventory.tracks,
    ({ folder, segments, track }) =>
      Effect.gen(function* () {
        const text = MediaPlaylist.render(initName, segments, keys)
        yield* put(`${folder}/${FfmpegCommand.playlistName}`, text, playlistType)
        if (isAudio(track)) return
        const scrubbing = MediaPlaylist.renderIFrames(initName, segments, keys)
        yield* put(`${folder}/${MasterPlaylist.iFramePlaylistName}`, scrubbing, playlistType)
      }),
    { ...concurrency, discard: true },
  )

  // One listing covers a thousand segments; a HEAD request for each would be slow.
  const storedSizes = new Map<string, number>()
  yield* Stream.runForEach(storage.list(target.bucket, target.prefix), ({ key, size }) =>
    Effect.sync(() => storedSizes.set(key, size)),
  )
  const missing = [...sizes].find(([key, size]) => storedSizes.get(key) !== size)?.[0]
  if (missing !== undefined) return yield* missingObject(missing)

  const subtitles = EmbeddedSubtitles.renditionsOf(plan, stored.objects.keys())
  const manifest = DashManifest.render({
    ...inventory,
    keys,
    storyboard: board === undefined ? undefined : { board, spriteCount: sprites.length },
  })
  // DASH has no encryption of whole segments.
  const dash =
    plan.protection?.scheme === "aes-128"
      ? undefined
      : yield* put(
          DashManifest.manifestName,
          CaptionRenditions.addToManifest(manifest, subtitles),
          "application/dash+xml",
        )
  const { audioOnly } = target
  const text = MasterPlaylist.render(inventory.renditions, inventory.audioTracks, {
    audioOnly,
    chapters,
    presentationStart: (inventory.renditions[0] ?? inventory.audioTracks[0])?.segments[0]?.presented,
  })
  const master = yield* put(masterName, CaptionRenditions.addToMaster(text, subtitles), playlistType)
  yield* Effect.forEach(
    [dash, master].filter((key) => key !== undefined),
    (key) =>
      storage
        .head({ bucket: target.bucket, key })
        .pipe(Effect.catchTag("NotFound", () => Effect.fail(missingObject(key)))),
  )
  return { ...inventory, master, dash, thumbnails, poster, storyboard, images, mp4 } satisfies PublishedStream
})

/**
 * Checks the output of ffmpeg against the plan, which was measured by the packets of the source: every track exists, has
 * the length of the source, and continuous decode times from zero. If a track was copied, the next attempt encodes it;
 * else the upload fails.
 */
export const validateInventory = Effect.fnUntraced(function* (
  plan: EncodingPlan,
  uploadedTracks: ReadonlyArray<UploadedTrack>,
) {
  const { tracks, audioTracks, renditions } = StreamInventory.fromUploaded(plan, uploadedTracks)
  const main = renditions[0] ?? audioTracks[0]
  if (main === undefined || renditions.length < plan.renditions.length) {
    return yield* failure("corrupt_media", "no frame of a track could be decoded")
  }
  const fault = StreamTimes.findFault(plan, tracks)
  if (fault !== undefined) {
    // Players switch renditions at segment boundaries.
    if (fault.isMisaligned || plan.passthrough !== undefined) return yield* invalidStream(fault.detail)
    return yield* failure("length_mismatch", fault.detail)
  }
  const lengths = [main, ...renditions, ...audioTracks].map(({ segments }) => MediaPlaylist.totalSeconds(segments))
  const [mainSeconds = 0] = lengths
  const longest = Math.max(...lengths)
  return {
    tracks,
    renditions,
    audioTracks,
    // An audio encoder fills its last frame, which makes the track a little longer.
    seconds: longest - mainSeconds > TrackAlignment.maxDifference ? longest : mainSeconds,
  }
})

/** Browsers save the file under this name. The first form is for old ones. */
export const attachment = (name: string): string => {
  const clean = name.replace(/[\p{Cc}\p{Cs}/\\:*?"<>|]/gu, "_").trim()
  const ascii = clean.replace(/[^\x20-\x7e]/g, "_")
  const encoded = encodeURIComponent(clean).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`
}

const invalidStream = (detail: string) =>
  new TransientError({
    dependency: "ffmpeg",
    code: "invalid_stream",
    message: `ffmpeg wrote a faulty stream: ${detail}`,
  })

const diskStream = <E>(stream: Stream.Stream<Uint8Array, E>) =>
  Stream.mapError(
    stream,
    (cause) =>
      new TransientError({
        dependency: "disk",
        code: "unavailable",
        message: "a file of the work folder could not be read",
        cause,
      }),
  )

const missingObject = (key: string) =>
  new TransientError({
    dependency: "storage",
    code: "object_missing",
    message: `${key} is missing or incomplete in storage after its upload`,
  })
