/**
 * What an upload was encoded to, written down below its prefix when all of it is in storage, so that a later try copies
 * it inside the storage and makes only what is missing: playlists, files for download, pictures, the verification.
 *
 * - Only of the same upload (bucket, key, size and etag) by the same command, which the whole plan, the options and the
 *   version of the code go into; else it is encoded anew.
 * - Segments and pictures never change under their name, and each copy must have the size that was written down. The
 *   earlier try may still be at work or be removed meanwhile: then something is missing, and it is encoded anew.
 * - Streams can be read by anybody, so the record does not tell where the upload lies.
 */
import { EncodingPlan } from "../encode/EncodingPlan.ts"
import { sha256 } from "@armoricore/domain/DeterministicId"
import type { MediaAttempt } from "@armoricore/domain/MediaState"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { type ObjectInfo, ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, Option, Schema, Stream } from "effect"
import * as FfmpegCommand from "../encode/FfmpegCommand.ts"
import type { StillImages } from "../packaging/StillImages.ts"
import { retryTransient, initName, type UploadedTrack } from "../packaging/SegmentUploader.ts"
import { type TranscodeOptions, planEncoding } from "./TranscodeOptions.ts"
import { Segment } from "../packaging/MediaPlaylist.ts"
import { Track } from "../packaging/Mp4.ts"

export interface EncodeCheckpoint {
  readonly plan: EncodingPlan
  readonly uploadedTracks: ReadonlyArray<UploadedTrack>
  /** Bytes by name below the prefix: segments and what they begin with. */
  readonly objects: ReadonlyMap<string, number>
  /** Undefined: they could not be stored, and must be made. */
  readonly stillImages: StillImages | undefined
  /** Wall milliseconds by stage. */
  readonly timings: Readonly<Record<string, number>>
}

const CheckpointDocument = Schema.fromJsonString(
  Schema.Struct({
    source_hash: Schema.String,
    command_hash: Schema.String,
    plan: EncodingPlan,
    tracks: Schema.Array(Schema.Struct({ folder: Schema.String, track: Track, segments: Schema.Array(Segment) })),
    objects: Schema.Record(Schema.String, Schema.Int),
    still_images: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int)),
    timings: Schema.Record(Schema.String, Schema.Finite),
  }),
)

const checkpointName = "encoded.json"
/** The longest film has less than half of it. */
const maxCheckpointBytes = 64e6

const checkpointRef = (options: TranscodeOptions, prefix: string) => ({
  bucket: options.bucket,
  key: `${prefix}${checkpointName}`,
})

const sourceHash = ({ bucket, etag, key, size }: ObjectInfo): string =>
  sha256(JSON.stringify([bucket, key, size, etag]))

/** Copying is decided by the packets of a file: it follows from the same. */
const commandHash = (options: TranscodeOptions, plan: EncodingPlan): string =>
  sha256(JSON.stringify(FfmpegCommand.args(planEncoding(options, plan.info, plan.toneMapping), "source")))

/** To be called when all that it names is in storage, and is whole. */
export const write = Effect.fn("Encoded.write")(function* (
  options: TranscodeOptions,
  prefix: string,
  source: ObjectInfo,
  { objects, stillImages, plan, timings, uploadedTracks }: EncodeCheckpoint,
) {
  const storage = yield* ObjectStorage
  const text = yield* Schema.encodeEffect(CheckpointDocument)({
    source_hash: sourceHash(source),
    command_hash: commandHash(options, plan),
    plan: plan,
    tracks: uploadedTracks.map((part) => ({ folder: part.folder, track: part.track, segments: part.segments })),
    objects: Object.fromEntries(objects),
    ...(stillImages === undefined ? {} : { still_images: Object.fromEntries(stillImages) }),
    timings,
  }).pipe(
    Effect.tapError((error) => Effect.logWarning("what was encoded cannot be written down", { error })),
    Effect.option,
  )
  // Then another try encodes anew; this one need not fail for it.
  if (Option.isNone(text)) return
  yield* storage
    .put<never, never>(checkpointRef(options, prefix), new TextEncoder().encode(text.value), {
      contentType: "application/json",
      cacheControl: "no-store",
    })
    .pipe(retryTransient)
})

/** Nobody is to take it over: it is published, or at fault. */
export const discard = Effect.fnUntraced(function* (options: TranscodeOptions, prefix: string) {
  const storage = yield* ObjectStorage
  yield* storage.remove(checkpointRef(options, prefix)).pipe(
    // It harms nobody where it stays.
    Effect.catch((error) => Effect.logDebug("the record of an encoding was not removed", { error })),
  )
})

/** Whether a later try could take something over from this prefix. */
export const exists = Effect.fnUntraced(function* (options: TranscodeOptions, prefix: string) {
  const storage = yield* ObjectStorage
  return yield* storage.head(checkpointRef(options, prefix)).pipe(
    Effect.as(true),
    Effect.catchTag("NotFound", () => Effect.succeed(false)),
  )
})

export interface StoredCheckpoint extends EncodeCheckpoint {
  /** Where it lies; ends with a slash. */
  readonly prefix: string
}

/** The newest of these attempts that made of this upload what would be made of it now. */
export const find = Effect.fn("Encoded.find")(function* (
  options: TranscodeOptions,
  attempts: ReadonlyArray<MediaAttempt>,
  source: ObjectInfo,
) {
  for (const { prefix } of [...attempts].reverse()) {
    const found = yield* read(options, prefix, source)
    if (found !== undefined) return found
  }
  return undefined
})

const read = Effect.fnUntraced(function* (options: TranscodeOptions, prefix: string, source: ObjectInfo) {
  const storage = yield* ObjectStorage
  const { toneMapping } = yield* FfmpegPrograms
  const got = yield* storage.get(checkpointRef(options, prefix)).pipe(
    Effect.map(Option.some),
    Effect.catchTag("NotFound", () => Effect.succeedNone),
  )
  if (Option.isNone(got) || got.value.info.size > maxCheckpointBytes) return undefined
  const text = yield* Stream.mkString(Stream.decodeText(got.value.body))
  const record = Option.getOrUndefined(Schema.decodeUnknownOption(CheckpointDocument)(text))
  if (record === undefined || record.source_hash !== sourceHash(source)) return undefined
  const plan = record.plan
  if (record.command_hash !== commandHash(options, plan.with({ toneMapping }))) return undefined
  if (plan.passthrough !== undefined && options.passthrough === false) return undefined
  return {
    prefix,
    plan,
    uploadedTracks: record.tracks.map((part) => ({ ...part, init: initName })),
    objects: new Map(Object.entries(record.objects)),
    stillImages: record.still_images === undefined ? undefined : new Map(Object.entries(record.still_images)),
    timings: record.timings,
  } satisfies StoredCheckpoint
})

/** Copies it below another prefix; false where something of it is not there any more as it was. */
export const copyTo = Effect.fn("Encoded.copy")(function* (
  options: TranscodeOptions,
  found: StoredCheckpoint,
  prefix: string,
) {
  const storage = yield* ObjectStorage
  const { bucket } = options
  const copyObject = Effect.fnUntraced(
    function* ([name, bytes]: readonly [string, number]) {
      const { size } = yield* storage.copy(
        { bucket, key: `${found.prefix}${name}` },
        { bucket, key: `${prefix}${name}` },
      )
      return size === bytes
    },
    Effect.catchTag("NotFound", () => Effect.succeed(false)),
    retryTransient,
  )
  for (const objects of [found.objects, found.stillImages ?? new Map<string, number>()]) {
    const areCopied = yield* Effect.forEach(objects, copyObject, { concurrency: options.uploadConcurrency ?? 4 })
    if (areCopied.includes(false)) return false
  }
  return true
})
