/**
 * Uploads segments while ffmpeg runs.
 *
 * ffmpeg renames a segment when it is complete and then replaces the playlist, so every listed segment can be uploaded.
 * The local file of an uploaded segment is removed, which keeps the folder small. Only one fiber at a time may call `sync`;
 * after an interruption it continues where it stopped.
 */
import * as Backoff from "@armoricore/domain/Backoff"
import { TransientError } from "@armoricore/domain/Errors"
import { ObjectStorage, type StorageError } from "@armoricore/storage/ObjectStorage"
import { type Duration, Effect, FileSystem, Path, Schedule } from "effect"
import { playlistName } from "../encode/FfmpegCommand.ts"
import * as Fragments from "./Fragments.ts"
import { parse, type Segment } from "./MediaPlaylist.ts"
import { isAudio, readInit, segmentFrames, segmentSeconds, segmentStart, type Track } from "./Mp4.ts"
import { presentationStart } from "../captions/PresentationStart.ts"
import { segmentNumber } from "../protection/Protection.ts"
import type { Protector } from "../protection/Protector.ts"
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir"

/** A rendition or audio track with its stored segments. */
export interface UploadedTrack {
  readonly folder: string
  readonly track: Track
  /** The local name of the initialisation segment. */
  readonly init: string
  readonly segments: ReadonlyArray<Segment>
}

export interface Target {
  /** The local folder that ffmpeg writes to. */
  readonly from: string
  readonly bucket: string
  /** Ends with a slash. */
  readonly prefix: string
  /** The folders of the tracks, below `from` and `prefix`. */
  readonly folders: ReadonlyArray<string>
  readonly concurrency: number
  /** Retains the local files, which a later step needs (MP4 files for download). */
  readonly keepLocalFiles?: boolean
  /** Undefined: the stream is not protected. */
  readonly protector?: Protector | undefined
}

/** For objects that never change: players and CDNs may cache them forever. */
export const immutableCacheControl = "public, max-age=31536000, immutable"
export const initName = "init.mp4"
/** The name of segments as a DASH template. */
export const segmentPattern = "$Number%05d$.m4s"

/** Retries transient errors twice, within a second. A longer outage fails the upload. */
export const retryTransient = <A>(put: Effect.Effect<A, StorageError>): Effect.Effect<A, StorageError> =>
  Effect.retry(put, {
    while: (error) => error._tag === "TransientError",
    schedule: Schedule.exponential("150 millis"),
    times: 2,
  })

/**
 * Encoding is expensive and its output is on disk, so only the upload is retried, with the same names and bytes. A missing
 * object is not retried: its local file was removed after the upload.
 */
export const retryWhileUnavailable =
  (timeout: Duration.Duration) =>
  <A, E, R>(effect: Effect.Effect<A, E | TransientError, R>) =>
    effect.pipe(
      Effect.tapError((error) => Effect.logInfo("the encoded output could not be stored; retrying", { error })),
      Effect.retry({
        while: (error) =>
          error instanceof TransientError && error.dependency === "storage" && error.code !== "object_missing",
        schedule: Backoff.capped("250 millis", "10 seconds").pipe(Schedule.upTo({ duration: timeout })),
      }),
    )

const unprotectable = (folder: string) =>
  new TransientError({
    dependency: "ffmpeg",
    code: "invalid_encoder_output",
    message: `ffmpeg wrote segments of ${folder} with a structure that cannot be encrypted`,
  })

const keyFramesOf = (bytes: Uint8Array, { sampleDuration, timescale }: Track): NonNullable<Segment["iFrameSegments"]> =>
  Fragments.keyFrames(bytes, sampleDuration).map(({ ticks, ...range }) => ({ ...range, seconds: ticks / timescale }))

export interface SegmentUploader {
  /** Uploads the new segments. */
  readonly sync: Effect.Effect<void, StorageError>
  /** Uploads new segments at short intervals and reports all stored tracks each time. Never succeeds. */
  readonly uploadContinuously: (
    onUploaded: (uploaded: ReadonlyArray<UploadedTrack>) => Effect.Effect<void>,
  ) => Effect.Effect<never, StorageError>
  /** The tracks stored so far, in the order of `folders`. */
  readonly uploadedTracks: () => ReadonlyArray<UploadedTrack>
  /** Keys and sizes of all objects stored so far. */
  readonly objects: () => ReadonlyMap<string, number>
}

export const make = Effect.fnUntraced(function* (target: Target) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const storage = yield* ObjectStorage
  const tracks = new Map<string, Track>()
  const inits = new Map<string, string>()
  const uploadedSegments = new Map<string, Map<string, Segment>>(target.folders.map((folder) => [folder, new Map()]))
  const order = new Map<string, ReadonlyArray<string>>()
  const objects = new Map<string, number>()

  const put = (key: string, bytes: Uint8Array, track: Track) =>
    Effect.map(
      storage
        .put<never, never>({ bucket: target.bucket, key }, bytes, {
          contentType: isAudio(track) ? "audio/mp4" : "video/mp4",
          cacheControl: immutableCacheControl,
        })
        .pipe(retryTransient),
      () => void objects.set(key, bytes.byteLength),
    )

  const putInit = Effect.fnUntraced(function* (folder: string, name: string) {
    const known = tracks.get(folder)
    if (known !== undefined) return known
    const bytes = yield* fs.readFile(path.join(target.from, folder, name))
    const track = readInit(bytes)
    if (track === undefined) {
      return yield* new TransientError({
        dependency: "ffmpeg",
        code: "invalid_encoder_output",
        message: `ffmpeg wrote an unreadable initialisation segment for ${folder}`,
      })
    }
    const stored = target.protector === undefined ? bytes : target.protector.init(bytes, track)
    yield* put(`${target.prefix}${folder}/${initName}`, stored ?? (yield* unprotectable(folder)), track)
    tracks.set(folder, track)
    inits.set(folder, name)
    return track
  })

  /** Sizes of the playlists whose segments are all stored: they only grow. */
  const syncedSizes = new Map<string, number>()

  const pending = Effect.fnUntraced(function* (folder: string) {
    const file = path.join(target.from, folder, playlistName)
    const size = yield* fs.stat(file).pipe(
      Effect.map((info): number | undefined => Number(info.size)),
      Effect.catchTag("PlatformError", (error) =>
        error.reason._tag === "NotFound" ? Effect.undefined : Effect.fail(error),
      ),
    )
    if (size === undefined || syncedSizes.get(folder) === size) return { folder, uploads: [] }
    const { init, segments } = parse(yield* fs.readFileString(file))
    if (init === undefined || segments.length === 0) return { folder, size, uploads: [] }
    order.set(folder, segments)
    const track = yield* putInit(folder, init)
    const uploaded = uploadedSegments.get(folder)
    const uploads = segments
      .filter((name) => uploaded?.has(name) !== true)
      .map((name) =>
        Effect.gen(function* () {
          const local = path.join(target.from, folder, name)
          const written = yield* fs.readFile(local)
          const isVideo = !isAudio(track)
          const plain = isVideo ? Fragments.split(written) : written
          const { measured, stored } =
            target.protector === undefined
              ? { measured: plain, stored: plain }
              : (target.protector.segment(name, plain, track) ?? (yield* unprotectable(folder)))
          yield* put(`${target.prefix}${folder}/${name}`, stored, track)
          const presented =
            stored !== measured && segmentNumber(name) === 0
              ? presentationStart(yield* fs.readFile(path.join(target.from, folder, init)), measured)
              : undefined
          uploaded?.set(name, {
            name,
            bytes: stored.byteLength,
            seconds: segmentSeconds(measured, track),
            start: segmentStart(measured, track) ?? Number.MAX_SAFE_INTEGER,
            ...(presented === undefined ? {} : { presented }),
            ...(isVideo ? { frames: segmentFrames(measured) } : {}),
            iFrameSegments: isVideo ? keyFramesOf(measured, track) : [],
          })
          if (target.keepLocalFiles !== true) yield* fs.remove(local)
        }),
      )
    return { folder, size, uploads }
  })

  const sync: SegmentUploader["sync"] = mapDiskErrors(
    Effect.gen(function* () {
      const found = yield* Effect.forEach(target.folders, (folder) => pending(folder))
      yield* Effect.forEach(
        found.flatMap(({ uploads }) => uploads),
        (upload) => upload,
        { concurrency: target.concurrency, discard: true },
      )
      for (const { folder, size } of found) if (size !== undefined) syncedSizes.set(folder, size)
    }),
  )

  const uploadedTracks: SegmentUploader["uploadedTracks"] = () =>
    target.folders.flatMap((folder) => {
      const track = tracks.get(folder)
      const uploaded = uploadedSegments.get(folder)
      if (track === undefined || uploaded === undefined) return []
      const segments = (order.get(folder) ?? []).flatMap((name) => uploaded.get(name) ?? [])
      return [{ folder, track, init: inits.get(folder) ?? initName, segments }]
    })

  return {
    sync,
    uploadContinuously: (onUploaded) =>
      Effect.forever(
        Effect.andThen(
          Effect.andThen(
            sync,
            Effect.suspend(() => onUploaded(uploadedTracks())),
          ),
          Effect.sleep("250 millis"),
        ),
      ),
    uploadedTracks,
    objects: () => objects,
  } satisfies SegmentUploader
})
