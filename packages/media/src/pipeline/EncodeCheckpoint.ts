/**
 * The checkpoint of a complete encode, stored below the attempt's prefix once all segments are in storage. A later
 * attempt copies the segments inside the storage instead of encoding again, and makes only the rest: playlists, MP4
 * files and still images.
 *
 * - A checkpoint applies only to the same upload (bucket, key, size and ETag) and the same ffmpeg command, which covers
 *   the plan, the options and the version of the code.
 * - Segments and images never change under their name, and each copy must have the recorded size. If the earlier attempt
 *   removes its objects meanwhile, the copy fails and the upload is encoded again.
 * - Streams may be public, so the checkpoint holds a hash of the upload's location, not the location.
 */
import { sha256 } from "@armoricore/domain/DeterministicId"
import type { MediaAttempt } from "@armoricore/domain/MediaState"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { type ObjectInfo, ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, Option, Schema, Stream } from "effect"
import { EncodingPlan } from "../encode/EncodingPlan.ts"
import * as FfmpegCommand from "../encode/FfmpegCommand.ts"
import type { StillImages } from "../packaging/StillImages.ts"
import { retryTransient, initName, type UploadedTrack } from "../packaging/SegmentUploader.ts"
import { segmentsPerKey } from "../protection/Protection.ts"
import * as MediaRequest from "./MediaRequest.ts"
import { type ResolvedOptions, planEncoding } from "./TranscodeOptions.ts"
import { Segment } from "../packaging/MediaPlaylist.ts"
import { Track } from "../packaging/Mp4.ts"

export interface EncodeCheckpoint {
  readonly plan: EncodingPlan
  readonly uploadedTracks: ReadonlyArray<UploadedTrack>
  /** Sizes of the segments and initialisation segments, by name below the prefix. */
  readonly objects: ReadonlyMap<string, number>
  /** Undefined: the images are not in storage and must be made again. */
  readonly stillImages: StillImages | undefined
  /** Wall-clock milliseconds by stage. */
  readonly timings: Readonly<Record<string, number>>
}

export interface StoredCheckpoint extends EncodeCheckpoint {
  /** The prefix of the attempt that wrote it; ends with a slash. */
  readonly prefix: string
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
/** More than twice the size of the checkpoint of the longest allowed video. */
const maxCheckpointBytes = 64e6

const checkpointRef = ({ bucket }: ResolvedOptions, prefix: string) => ({ bucket, key: `${prefix}${checkpointName}` })

const sourceHash = ({ bucket, etag, key, size }: ObjectInfo): string =>
  sha256(JSON.stringify([bucket, key, size, etag]))

/** Passthrough is not part of the hash: the same packets lead to the same decision. */
const commandHash = (options: ResolvedOptions, plan: EncodingPlan): string =>
  sha256(
    JSON.stringify([
      ...FfmpegCommand.args(planEncoding(options, plan.info, plan.toneMapping, plan.request), "source"),
      ...(options.protection === undefined ? [] : [options.protection.scheme, segmentsPerKey(options.protection) ?? 0]),
    ]),
  )

/** Call it after all objects that the checkpoint names are in storage. */
export const write = Effect.fn("EncodeCheckpoint.write")(function* (
  options: ResolvedOptions,
  prefix: string,
  source: ObjectInfo,
  { objects, stillImages, plan, timings, uploadedTracks }: EncodeCheckpoint,
) {
  const storage = yield* ObjectStorage
  const document = yield* Schema.encodeEffect(CheckpointDocument)({
    source_hash: sourceHash(source),
    command_hash: commandHash(options, plan),
    plan,
    tracks: uploadedTracks.map(({ folder, track, segments }) => ({ folder, track, segments })),
    objects: Object.fromEntries(objects),
    ...(stillImages === undefined ? {} : { still_images: Object.fromEntries(stillImages) }),
    timings,
  }).pipe(
    Effect.tapError((error) =>
      Effect.logWarning("The encode checkpoint could not be serialised; a retry encodes again", { prefix, error }),
    ),
    Effect.option,
  )
  if (Option.isNone(document)) return
  yield* storage
    .put<never, never>(checkpointRef(options, prefix), new TextEncoder().encode(document.value), {
      contentType: "application/json",
      cacheControl: "no-store",
    })
    .pipe(retryTransient)
})

/** Deletes the checkpoint: its version is published, or its output is corrupt. */
export const discard = Effect.fn("EncodeCheckpoint.discard")(function* (options: ResolvedOptions, prefix: string) {
  const storage = yield* ObjectStorage
  yield* storage.remove(checkpointRef(options, prefix)).pipe(
    // Best effort: a stale checkpoint is harmless.
    Effect.catch((error) => Effect.logDebug("The encode checkpoint could not be removed", { prefix, error })),
  )
})

export const exists = Effect.fn("EncodeCheckpoint.exists")(function* (options: ResolvedOptions, prefix: string) {
  const storage = yield* ObjectStorage
  return yield* storage.head(checkpointRef(options, prefix)).pipe(
    Effect.as(true),
    Effect.catchTag("NotFound", () => Effect.succeed(false)),
  )
})

/** The newest checkpoint of these attempts that applies to this source and the current options. */
export const find = Effect.fn("EncodeCheckpoint.find")(function* (
  options: ResolvedOptions,
  attempts: ReadonlyArray<MediaAttempt>,
  source: ObjectInfo,
  request: MediaRequest.MediaRequest,
) {
  for (const { prefix } of [...attempts].reverse()) {
    const checkpoint = yield* read(options, prefix, source, request)
    if (checkpoint !== undefined) return checkpoint
  }
  return undefined
})

const read = Effect.fnUntraced(function* (
  options: ResolvedOptions,
  prefix: string,
  source: ObjectInfo,
  request: MediaRequest.MediaRequest,
) {
  const storage = yield* ObjectStorage
  const { toneMapping } = yield* FfmpegPrograms
  const object = yield* storage.get(checkpointRef(options, prefix)).pipe(
    Effect.map(Option.some),
    Effect.catchTag("NotFound", () => Effect.succeedNone),
  )
  if (Option.isNone(object) || object.value.info.size > maxCheckpointBytes) return undefined
  const text = yield* Stream.mkString(Stream.decodeText(object.value.body))
  const document = Option.getOrUndefined(Schema.decodeUnknownOption(CheckpointDocument)(text))
  if (document === undefined || document.source_hash !== sourceHash(source)) return undefined
  const { plan } = document
  if (plan.request?.hash !== MediaRequest.hashOf(request)) return undefined
  if (document.command_hash !== commandHash(options, plan.with({ toneMapping }))) return undefined
  if (plan.passthrough !== undefined && !options.passthrough) return undefined
  return {
    prefix,
    plan,
    uploadedTracks: document.tracks.map((stored) => ({ ...stored, init: initName })),
    objects: new Map(Object.entries(document.objects)),
    stillImages: document.still_images === undefined ? undefined : new Map(Object.entries(document.still_images)),
    timings: document.timings,
  } satisfies StoredCheckpoint
})

/** Copies the checkpoint's objects below another prefix. Returns false if any of them is missing or has another size. */
export const copyTo = Effect.fn("EncodeCheckpoint.copyTo")(function* (
  { bucket, uploadConcurrency }: ResolvedOptions,
  checkpoint: StoredCheckpoint,
  prefix: string,
) {
  const storage = yield* ObjectStorage
  const copyObject = Effect.fnUntraced(
    function* ([name, bytes]: readonly [string, number]) {
      const { size } = yield* storage.copy(
        { bucket, key: `${checkpoint.prefix}${name}` },
        { bucket, key: `${prefix}${name}` },
      )
      return size === bytes
    },
    Effect.catchTag("NotFound", () => Effect.succeed(false)),
    retryTransient,
  )
  for (const objects of [checkpoint.objects, checkpoint.stillImages ?? new Map<string, number>()]) {
    const areCopied = yield* Effect.forEach(objects, copyObject, { concurrency: uploadConcurrency })
    if (areCopied.includes(false)) return false
  }
  return true
})
