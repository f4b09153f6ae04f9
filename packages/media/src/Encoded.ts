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
import { sha256 } from "@armoricore/domain/Causation"
import type { MediaAttempt } from "@armoricore/domain/MediaState"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { type ObjectInfo, ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, Option, Schema, Stream } from "effect"
import * as FfmpegCommand from "./FfmpegCommand.ts"
import type { Pictures } from "./Pictures.ts"
import * as PlanRecord from "./PlanRecord.ts"
import { again, initName, type Uploaded } from "./SegmentUploader.ts"
import { type Options, planOf } from "./TranscodeOptions.ts"
import { segments, track } from "./UploadedRecord.ts"

export interface Encoded {
  readonly plan: FfmpegCommand.Plan
  readonly uploaded: ReadonlyArray<Uploaded>
  /** Bytes by name below the prefix: segments and what they begin with. */
  readonly objects: ReadonlyMap<string, number>
  /** Undefined: they could not be stored, and must be made. */
  readonly pictures: Pictures | undefined
  /** Wall milliseconds by stage. */
  readonly timings: Readonly<Record<string, number>>
}

const Record = Schema.fromJsonString(
  Schema.Struct({
    source: Schema.String,
    command: Schema.String,
    plan: PlanRecord.PlanRecord,
    parts: Schema.Array(Schema.Struct({ folder: Schema.String, track, segments })),
    objects: Schema.Record(Schema.String, Schema.Int),
    pictures: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int)),
    timings: Schema.Record(Schema.String, Schema.Finite),
  }),
)

const recordName = "encoded.json"
/** The longest film has less than half of it. */
const most = 64e6

const refOf = (options: Options, prefix: string) => ({ bucket: options.bucket, key: `${prefix}${recordName}` })

const identityOf = ({ bucket, etag, key, size }: ObjectInfo): string =>
  sha256(JSON.stringify([bucket, key, size, etag]))

/** Copying is decided by the packets of a file: it follows from the same. */
const commandOf = (options: Options, plan: FfmpegCommand.Plan): string =>
  sha256(JSON.stringify(FfmpegCommand.args(planOf(options, plan.info, plan.toneMapping), "source")))

/** To be called when all that it names is in storage, and is whole. */
export const write = Effect.fn("Encoded.write")(function* (
  options: Options,
  prefix: string,
  source: ObjectInfo,
  { objects, pictures, plan, timings, uploaded }: Encoded,
) {
  const storage = yield* ObjectStorage
  const text = yield* Schema.encodeEffect(Record)({
    source: identityOf(source),
    command: commandOf(options, plan),
    plan: PlanRecord.toRecord(plan),
    parts: uploaded.map((part) => ({ folder: part.folder, track: part.track, segments: part.segments })),
    objects: Object.fromEntries(objects),
    ...(pictures === undefined ? {} : { pictures: Object.fromEntries(pictures) }),
    timings,
  }).pipe(
    Effect.tapError((error) => Effect.logWarning("what was encoded cannot be written down", { error })),
    Effect.option,
  )
  // Then another try encodes anew; this one need not fail for it.
  if (Option.isNone(text)) return
  yield* storage
    .put<never, never>(refOf(options, prefix), new TextEncoder().encode(text.value), {
      contentType: "application/json",
      cacheControl: "no-store",
    })
    .pipe(again)
})

/** Nobody is to take it over: it is published, or at fault. */
export const forget = Effect.fnUntraced(function* (options: Options, prefix: string) {
  const storage = yield* ObjectStorage
  yield* storage.remove(refOf(options, prefix)).pipe(
    // It harms nobody where it stays.
    Effect.catch((error) => Effect.logDebug("the record of an encoding was not removed", { error })),
  )
})

/** Whether a later try could take something over from this prefix. */
export const isThere = Effect.fnUntraced(function* (options: Options, prefix: string) {
  const storage = yield* ObjectStorage
  return yield* storage.head(refOf(options, prefix)).pipe(
    Effect.as(true),
    Effect.catchTag("NotFound", () => Effect.succeed(false)),
  )
})

export interface Found extends Encoded {
  /** Where it lies; ends with a slash. */
  readonly prefix: string
}

/** The newest of these attempts that made of this upload what would be made of it now. */
export const find = Effect.fn("Encoded.find")(function* (
  options: Options,
  attempts: ReadonlyArray<MediaAttempt>,
  source: ObjectInfo,
) {
  for (const { prefix } of [...attempts].reverse()) {
    const found = yield* read(options, prefix, source)
    if (found !== undefined) return found
  }
  return undefined
})

const read = Effect.fnUntraced(function* (options: Options, prefix: string, source: ObjectInfo) {
  const storage = yield* ObjectStorage
  const { toneMapping } = yield* FfmpegPrograms
  const got = yield* storage.get(refOf(options, prefix)).pipe(
    Effect.map(Option.some),
    Effect.catchTag("NotFound", () => Effect.succeedNone),
  )
  if (Option.isNone(got) || got.value.info.size > most) return undefined
  const text = yield* Stream.mkString(Stream.decodeText(got.value.body))
  const record = Option.getOrUndefined(Schema.decodeUnknownOption(Record)(text))
  if (record === undefined || record.source !== identityOf(source)) return undefined
  const plan = PlanRecord.fromRecord(record.plan)
  if (record.command !== commandOf(options, { ...plan, toneMapping })) return undefined
  if (plan.copied !== undefined && options.copy === false) return undefined
  return {
    prefix,
    plan,
    uploaded: record.parts.map((part) => ({ ...part, init: initName })),
    objects: new Map(Object.entries(record.objects)),
    pictures: record.pictures === undefined ? undefined : new Map(Object.entries(record.pictures)),
    timings: record.timings,
  } satisfies Found
})

/** Copies it below another prefix; false where something of it is not there any more as it was. */
export const copy = Effect.fn("Encoded.copy")(function* (options: Options, found: Found, prefix: string) {
  const storage = yield* ObjectStorage
  const { bucket } = options
  const one = Effect.fnUntraced(
    function* ([name, bytes]: readonly [string, number]) {
      const { size } = yield* storage.copy(
        { bucket, key: `${found.prefix}${name}` },
        { bucket, key: `${prefix}${name}` },
      )
      return size === bytes
    },
    Effect.catchTag("NotFound", () => Effect.succeed(false)),
    again,
  )
  for (const objects of [found.objects, found.pictures ?? new Map<string, number>()]) {
    const are = yield* Effect.forEach(objects, one, { concurrency: options.uploads ?? 4 })
    if (are.includes(false)) return false
  }
  return true
})
