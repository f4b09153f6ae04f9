/**
 * What is known of films that are made in parts: a document per job, and one per part that is done. All changes are
 * compare-and-set.
 *
 * - A part is done by whoever recorded it first. What it names was written below a folder that holds the worker's
 *   claim, so a late worker can neither overwrite it nor take its place.
 * - The job's document counts what is done; whoever completes it is told, and of two at once both are.
 * - A job that ended otherwise says so, and its parts stop.
 */
import { type Conflict, TransientError } from "@armoricore/domain/Errors"
import { MediaUploaded } from "@armoricore/domain/events/media"
import { EventId } from "@armoricore/domain/Ids"
import { MediaAttempt } from "@armoricore/domain/MediaState"
import * as Collection from "@armoricore/state/Collection"
import type { StateError } from "@armoricore/state/KeyValue"
import { Duration, Effect, Option, Schema } from "effect"
import { PlanRecord } from "../PlanRecord.ts"
import * as PackedSegments from "./PackedSegments.ts"
import { segments, track } from "../UploadedRecord.ts"

const Window = Schema.Struct({
  firstFrame: Schema.Int,
  frames: Schema.optionalKey(Schema.Int),
  from: Schema.Finite,
})

export const Job = Schema.Struct({
  /** The `media.uploaded` event, or the retry of one, and what it said. */
  cause: EventId,
  upload: MediaUploaded,
  attempt: MediaAttempt,
  /** The upload as it was when it was planned. */
  source: Schema.Struct({ bucket: Schema.String, key: Schema.String, size: Schema.Finite, etag: Schema.String }),
  plan: PlanRecord,
  /** Of the picture; a part's name is its place here. */
  windows: Schema.Array(Window),
  /** Names of parts that are done, and of steps of the sound that are in their places while it is made (`SoundSteps`). */
  done: Schema.Array(Schema.String),
  /** How initialisation segments must be, by folder: those of whoever was first. */
  inits: Schema.Record(Schema.String, Schema.String),
  /** Wall milliseconds by stage so far, and when the parts were handed out. */
  timings: Schema.Record(Schema.String, Schema.Finite),
  started: Schema.Finite,
  /** An earlier job over the same upload, whose parts need not be made again. */
  reuse: Schema.optionalKey(Schema.String),
  /** Failed or cancelled: what is still at work stops. */
  ended: Schema.optionalKey(Schema.Boolean),
})
export type Job = typeof Job.Type

const PartFolder = Schema.Struct({
  folder: Schema.String,
  track,
  /** SHA-256 of the initialisation segment, and its bytes. */
  init: Schema.String,
  initBytes: Schema.Int,
  segments,
})

export const Part = Schema.Struct({
  /** Where its objects were written first; ends with a slash. */
  staging: Schema.String,
  /** Without any: the source ends before this part begins. */
  folders: Schema.Array(PartFolder),
  /** Pictures below `staging`. */
  pictures: Schema.Array(Schema.String),
})
export type Part = typeof Part.Type

/** As it is written down. */
const StoredPart = Schema.Struct({
  ...Part.fields,
  folders: Schema.Array(Schema.Struct({ ...PartFolder.fields, segments: Schema.Union([segments, Schema.String]) })),
})
type StoredPart = typeof StoredPart.Type

const stored = (part: Part): StoredPart => ({
  ...part,
  folders: part.folders.map((one) => ({ ...one, segments: PackedSegments.pack(one.segments) })),
})
const fromStored = Effect.fnUntraced(function* (part: StoredPart) {
  const folders = yield* Effect.forEach(part.folders, (one) =>
    Effect.map(PackedSegments.unpack(one.segments), (unpacked) => ({ ...one, segments: unpacked })),
  )
  return { ...part, folders } satisfies Part
})

/** Longer than any job takes, and than a failure waits for its retry. */
const maxAge = Duration.days(14)

export const mediaJobs: Collection.Descriptor<Job, typeof Job.Encoded> = {
  bucket: { name: "media_jobs", maxAge },
  schema: Job,
}
export const mediaParts: Collection.Descriptor<StoredPart, typeof StoredPart.Encoded> = {
  bucket: { name: "media_parts", maxAge },
  schema: StoredPart,
}

/** The sound of a film is a part of its own. */
export const soundPart = "sound"

/** In the order in which they are wanted: a film can be watched when its beginning and its sound are there. */
export const partsOf = ({ plan, windows }: Pick<Job, "plan" | "windows">): ReadonlyArray<string> => {
  const [first = "0", ...others] = windows.map((_, index) => String(index))
  return [first, ...(plan.info.sounds.length === 0 ? [] : [soundPart]), ...others]
}

export const make = Effect.gen(function* () {
  const jobs = yield* Collection.make(mediaJobs)
  const parts = yield* Collection.make(mediaParts)
  const keyOf = (version: string, part: string) => `${version}.${part}`
  const contended = <A>(effect: Effect.Effect<A, Conflict | StateError>): Effect.Effect<A, StateError> =>
    Effect.catchTag(effect, "Conflict", (cause) =>
      Effect.fail(new TransientError({ dependency: "state", code: "contended", message: cause.message, cause })),
    )

  const modify = <B>(version: string, change: (job: Job) => readonly [B, Job | undefined], gone: B) =>
    contended(
      jobs.modify(version, (current) =>
        Effect.sync(() => {
          if (Option.isNone(current)) return [gone, Option.none<Job>()] as const
          const [result, next] = change(current.value.value)
          return [result, Option.fromNullishOr(next)] as const
        }),
      ),
    )

  const find = Effect.fnUntraced(function* (version: string, part: string) {
    const found = Option.getOrUndefined(yield* parts.get(keyOf(version, part)))
    return found === undefined ? undefined : yield* fromStored(found.value)
  })

  return {
    create: (version: string, job: Job) => jobs.put(version, job),
    find: (version: string) => Effect.map(jobs.get(version), (found) => Option.getOrUndefined(found)?.value),
    part: find,
    /** Whether these initialisation segments are those of the job; the first to come makes them so. */
    agree: (version: string, inits: Readonly<Record<string, string>>) =>
      modify(
        version,
        (job) => {
          const unlike = Object.entries(inits).some(([folder, init]) => (job.inits[folder] ?? init) !== init)
          const isNew = Object.keys(inits).some((folder) => job.inits[folder] === undefined)
          return [!unlike, unlike || !isNew ? undefined : { ...job, inits: { ...job.inits, ...inits } }]
        },
        true,
      ),
    /** The part as it is recorded: by us, or by whoever was faster. */
    record: (version: string, name: string, part: Part): Effect.Effect<Part, StateError> => {
      const key = keyOf(version, name)
      const mine: Effect.Effect<Part, Conflict | StateError> = Effect.as(parts.create(key, stored(part)), part)
      return Effect.catchTag(mine, "Conflict", () => Effect.map(find(version, name), (found) => found ?? part))
    },
    /** What a part names is not there: it must be made again. */
    forget: (version: string, name: string) => contended(parts.remove(keyOf(version, name))),
    /** Counts a part whose objects have their places; returns what is done then, undefined where the job ended. */
    done: (version: string, name: string) =>
      modify<ReadonlyArray<string> | undefined>(
        version,
        (job) => {
          if (job.ended === true) return [undefined, undefined]
          if (job.done.includes(name)) return [job.done, undefined]
          const done = [...job.done, name]
          return [done, { ...job, done }]
        },
        undefined,
      ),
    end: (version: string) =>
      modify(version, (job) => [undefined, job.ended === true ? undefined : { ...job, ended: true }], undefined),
    /** The stream is published: nobody needs to know how it was made. */
    remove: (version: string, job: Job) =>
      contended(
        Effect.andThen(
          Effect.forEach(new Set([...partsOf(job), ...job.done]), (part) => parts.remove(keyOf(version, part)), {
            concurrency: 8,
            discard: true,
          }),
          jobs.remove(version),
        ),
      ),
  }
})
export type ChunkJobs = Effect.Success<typeof make>
