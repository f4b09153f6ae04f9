/**
 * What is known of films that are made in parts: a document per job, and one per part that is done. All changes are
 * compare-and-set.
 *
 * - A part is done by whoever recorded it first. What it names was written below a folder that holds the worker's
 *   claim, so a late worker can neither overwrite it nor take its place.
 * - The job's document counts what is done; whoever completes it is told, and of two at once both are.
 * - A job that ended otherwise says so, and its parts stop.
 */
import type { Conflict } from "@armoricore/domain/Errors"
import { MediaUploaded } from "@armoricore/domain/events/media"
import { EventId } from "@armoricore/domain/Ids"
import { MediaAttempt } from "@armoricore/domain/MediaState"
import * as Collection from "@armoricore/state/Collection"
import type { StateError } from "@armoricore/state/KeyValue"
import { Duration, Effect, Option, Schema } from "effect"
import { EncodingPlan } from "../encode/EncodingPlan.ts"
import * as CompressedSegments from "./CompressedSegments.ts"
import { Segment } from "../packaging/MediaPlaylist.ts"
import { Track } from "../packaging/Mp4.ts"

const ChunkWindow = Schema.Struct({
  firstFrame: Schema.Int,
  frames: Schema.optionalKey(Schema.Int),
  from: Schema.Finite,
})

export const ChunkedEncode = Schema.Struct({
  /** The `media.uploaded` event, or the retry of one, and what it said. */
  source_event_id: EventId,
  upload: MediaUploaded,
  attempt: MediaAttempt,
  /** The upload as it was when it was planned. */
  source: Schema.Struct({ bucket: Schema.String, key: Schema.String, size: Schema.Finite, etag: Schema.String }),
  plan: EncodingPlan,
  /** Of the picture; a part's name is its place here. */
  windows: Schema.Array(ChunkWindow),
  /** Names of parts that are done, and of steps of the sound that are in their places while it is made (`SoundSteps`). */
  completed: Schema.Array(Schema.String),
  /** How initialisation segments must be, by folder: those of whoever was first. */
  init_hashes: Schema.Record(Schema.String, Schema.String),
  /** Wall milliseconds by stage so far, and when the parts were handed out. */
  timings: Schema.Record(Schema.String, Schema.Finite),
  started_at: Schema.Finite,
  /** An earlier job over the same upload, whose parts need not be made again. */
  reuse_version: Schema.optionalKey(Schema.String),
  /** Failed or cancelled: what is still at work stops. */
  aborted: Schema.optionalKey(Schema.Boolean),
})
export type ChunkedEncode = typeof ChunkedEncode.Type

const ChunkTrack = Schema.Struct({
  folder: Schema.String,
  track: Track,
  /** SHA-256 of the initialisation segment, and its bytes. */
  init_hash: Schema.String,
  init_bytes: Schema.Int,
  segments: Schema.Array(Segment),
})

export const ChunkOutput = Schema.Struct({
  /** Where its objects were written first; ends with a slash. */
  staging: Schema.String,
  /** Without any: the source ends before this part begins. */
  tracks: Schema.Array(ChunkTrack),
  /** Pictures below `staging`. */
  images: Schema.Array(Schema.String),
})
export type ChunkOutput = typeof ChunkOutput.Type

/** As it is written down. */
const StoredChunkOutput = Schema.Struct({
  ...ChunkOutput.fields,
  tracks: Schema.Array(
    Schema.Struct({ ...ChunkTrack.fields, segments: Schema.Union([Schema.Array(Segment), Schema.String]) }),
  ),
})
type StoredChunkOutput = typeof StoredChunkOutput.Type

const toStored = (output: ChunkOutput): StoredChunkOutput => ({
  ...output,
  tracks: output.tracks.map((one) => ({ ...one, segments: CompressedSegments.compress(one.segments) })),
})
const fromStored = Effect.fnUntraced(function* (output: StoredChunkOutput) {
  const tracks = yield* Effect.forEach(output.tracks, (one) =>
    Effect.map(CompressedSegments.decompress(one.segments), (unpacked) => ({ ...one, segments: unpacked })),
  )
  return { ...output, tracks } satisfies ChunkOutput
})

/** Longer than any job takes, and than a failure waits for its retry. */
const maxAge = Duration.days(14)

export const chunkedEncodes: Collection.Descriptor<ChunkedEncode, typeof ChunkedEncode.Encoded> = {
  bucket: { name: "media_jobs", maxAge },
  schema: ChunkedEncode,
}
export const chunkOutputs: Collection.Descriptor<StoredChunkOutput, typeof StoredChunkOutput.Encoded> = {
  bucket: { name: "media_parts", maxAge },
  schema: StoredChunkOutput,
}

/** The sound of a film is a part of its own. */
export const audioChunk = "sound"

/** In the order in which they are wanted: a film can be watched when its beginning and its sound are there. */
export const chunkNames = ({ plan, windows }: Pick<ChunkedEncode, "plan" | "windows">): ReadonlyArray<string> => {
  const [first = "0", ...others] = windows.map((_, index) => String(index))
  return [first, ...(plan.info.audioTracks.length === 0 ? [] : [audioChunk]), ...others]
}

export const make = Effect.gen(function* () {
  const encodes = yield* Collection.make(chunkedEncodes)
  const outputs = yield* Collection.make(chunkOutputs)
  const keyOf = (version: string, chunk: string) => `${version}.${chunk}`
  const modify = <B>(
    version: string,
    change: (job: ChunkedEncode) => readonly [B, ChunkedEncode | undefined],
    gone: B,
  ) =>
    Collection.retryConflicts(
      encodes.modify(version, (current) =>
        Effect.sync(() => {
          if (Option.isNone(current)) return [gone, Option.none<ChunkedEncode>()] as const
          const [result, next] = change(current.value.value)
          return [result, Option.fromNullishOr(next)] as const
        }),
      ),
    )

  const findOutput = Effect.fnUntraced(function* (version: string, chunk: string) {
    const found = Option.getOrUndefined(yield* outputs.get(keyOf(version, chunk)))
    return found === undefined ? undefined : yield* fromStored(found.value)
  })

  return {
    create: (version: string, job: ChunkedEncode) => encodes.put(version, job),
    find: (version: string) => Effect.map(encodes.get(version), (found) => Option.getOrUndefined(found)?.value),
    findOutput: findOutput,
    /** Whether these initialisation segments are those of the job; the first to come makes them so. */
    pinInitSegments: (version: string, initHashes: Readonly<Record<string, string>>) =>
      modify(
        version,
        (job) => {
          const unlike = Object.entries(initHashes).some(([folder, init]) => (job.init_hashes[folder] ?? init) !== init)
          const isNew = Object.keys(initHashes).some((folder) => job.init_hashes[folder] === undefined)
          return [
            !unlike,
            unlike || !isNew ? undefined : { ...job, init_hashes: { ...job.init_hashes, ...initHashes } },
          ]
        },
        true,
      ),
    /** The part as it is recorded: by us, or by whoever was faster. */
    recordOutput: (version: string, name: string, output: ChunkOutput): Effect.Effect<ChunkOutput, StateError> => {
      const key = keyOf(version, name)
      const mine: Effect.Effect<ChunkOutput, Conflict | StateError> = Effect.as(
        outputs.create(key, toStored(output)),
        output,
      )
      return Effect.catchTag(mine, "Conflict", () => Effect.map(findOutput(version, name), (found) => found ?? output))
    },
    /** What a part names is not there: it must be made again. */
    discardOutput: (version: string, name: string) => Collection.retryConflicts(outputs.remove(keyOf(version, name))),
    /** Counts a part whose objects have their places; returns what is done then, undefined where the job ended. */
    markCompleted: (version: string, name: string) =>
      modify<ReadonlyArray<string> | undefined>(
        version,
        (job) => {
          if (job.aborted === true) return [undefined, undefined]
          if (job.completed.includes(name)) return [job.completed, undefined]
          const completed = [...job.completed, name]
          return [completed, { ...job, completed }]
        },
        undefined,
      ),
    abort: (version: string) =>
      modify(version, (job) => [undefined, job.aborted === true ? undefined : { ...job, aborted: true }], undefined),
    /** The stream is published: nobody needs to know how it was made. */
    remove: (version: string, job: ChunkedEncode) =>
      Collection.retryConflicts(
        Effect.andThen(
          Effect.forEach(
            new Set([...chunkNames(job), ...job.completed]),
            (chunk) => outputs.remove(keyOf(version, chunk)),
            {
              concurrency: 8,
              discard: true,
            },
          ),
          encodes.remove(version),
        ),
      ),
  }
})
export type ChunkedEncodes = Effect.Success<typeof make>
