/** The objects of recorded chunk outputs: copying them inside the storage, and joining them to one stream. */
import type { NotFound } from "@armoricore/domain/Errors"
import { ObjectStorage, type StorageError } from "@armoricore/storage/ObjectStorage"
import { Effect } from "effect"
import { trackFolders } from "../encode/EncodingPlan.ts"
import { initName, retryTransient, type UploadedTrack } from "../packaging/SegmentUploader.ts"
import { completedCheckpoints } from "./AudioCheckpoint.ts"
import type { ChunkContext } from "./ChunkContext.ts"
import { audioChunk, type ChunkedEncode, type ChunkedEncodes, type ChunkOutput } from "./ChunkedEncodes.ts"

/** `bytes` is the expected size, where it is recorded. */
interface OutputObject {
  readonly name: string
  readonly bytes?: number
}

export interface ChunkCopier {
  /** Copies objects from one prefix to another. Returns false if any is missing or has another size. */
  readonly copy: (
    objects: ReadonlyArray<OutputObject>,
    from: string,
    to: string,
  ) => Effect.Effect<boolean, StorageError, ObjectStorage>
  /** Copies the objects of an output from its staging prefix to the names in the playlists, except `promoted`. */
  readonly promote: (
    job: ChunkedEncode,
    output: ChunkOutput,
    promoted?: ReadonlySet<string>,
  ) => Effect.Effect<boolean, StorageError, ObjectStorage>
}

export const makeCopier = ({ options: { bucket, uploadConcurrency } }: ChunkContext): ChunkCopier => {
  const copyObject = Effect.fnUntraced(function* (from: string, to: string, bytes: number | undefined) {
    const storage = yield* ObjectStorage
    const copied: Effect.Effect<boolean, NotFound | StorageError> = Effect.map(
      storage.copy({ bucket, key: from }, { bucket, key: to }),
      ({ size }) => size === (bytes ?? size),
    )
    return yield* retryTransient(Effect.catchTag(copied, "NotFound", () => Effect.succeed(false)))
  })

  const copy: ChunkCopier["copy"] = (objects, from, to) =>
    Effect.map(
      Effect.forEach(objects, ({ bytes, name }) => copyObject(`${from}${name}`, `${to}${name}`, bytes), {
        concurrency: uploadConcurrency,
      }),
      (results) => !results.includes(false),
    )

  return {
    copy,
    promote: ({ attempt }, output, promoted = new Set()) =>
      copy(
        listObjects(output).filter(({ name }) => !promoted.has(name)),
        output.staging,
        attempt.prefix,
      ),
  }
}

/** Initialisation segments and segments of an output, without images. */
export const listObjects = ({ tracks }: Pick<ChunkOutput, "tracks">): ReadonlyArray<Required<OutputObject>> =>
  tracks.flatMap(({ folder, init_bytes, segments }) => [
    { name: `${folder}/${initName}`, bytes: init_bytes },
    ...segments.map(({ bytes, name }) => ({ name: `${folder}/${name}`, bytes })),
  ])

export interface AssembledStream {
  /** In the order of the plan. */
  readonly uploadedTracks: ReadonlyArray<UploadedTrack>
  /** The joined outputs, in playback order. */
  readonly outputs: ReadonlyArray<ChunkOutput>
}

/** Joins the completed chunks up to the first gap. */
export const assemble = Effect.fnUntraced(function* (
  encodes: ChunkedEncodes,
  version: string,
  job: ChunkedEncode,
  completed: ReadonlyArray<string>,
) {
  const videoChunks = job.windows.map((_, index) => String(index))
  const firstGap = videoChunks.findIndex((name) => !completed.includes(name))
  const names = [
    ...(firstGap === -1 ? videoChunks : videoChunks.slice(0, firstGap)),
    ...(completed.includes(audioChunk) ? [audioChunk] : completedCheckpoints(completed)),
  ]
  const recorded = yield* Effect.forEach(names, (name) => encodes.findOutput(version, name), { concurrency: 8 })
  const outputs = recorded.filter((output) => output !== undefined)
  const uploadedTracks = trackFolders(job.plan).flatMap((folder): ReadonlyArray<UploadedTrack> => {
    const tracks = outputs.flatMap((output) => output.tracks.filter((track) => track.folder === folder))
    const [first] = tracks
    return first === undefined
      ? []
      : [{ folder, track: first.track, init: initName, segments: tracks.flatMap(({ segments }) => segments) }]
  })
  return { uploadedTracks, outputs } satisfies AssembledStream
})
