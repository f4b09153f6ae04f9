/** Copies what a part is made of inside the storage: to where the playlists look for it, or to another worker's folder. */
import type { NotFound } from "@armoricore/domain/Errors"
import { ObjectStorage, type StorageError } from "@armoricore/storage/ObjectStorage"
import { Effect } from "effect"
import { retryTransient, initName } from "../packaging/SegmentUploader.ts"
import type { ChunkedEncode, ChunkOutput } from "./ChunkedEncodes.ts"
import type { ChunkContext } from "./ChunkContext.ts"

export const make = ({ options }: Pick<ChunkContext, "options">) => {
  const concurrency = { concurrency: options.uploadConcurrency ?? 4 }

  /** The size of the copy; undefined where there is nothing to be copied. */
  const copyOne = Effect.fnUntraced(function* (from: string, to: string) {
    const storage = yield* ObjectStorage
    const copied: Effect.Effect<number | undefined, NotFound | StorageError> = Effect.map(
      storage.copy({ bucket: options.bucket, key: from }, { bucket: options.bucket, key: to }),
      ({ size }) => size,
    )
    return yield* retryTransient(Effect.catchTag(copied, "NotFound", () => Effect.undefined))
  })

  /** Whether all of these were there as they were written down. */
  const copy = (objects: ReadonlyArray<{ readonly name: string; readonly bytes?: number }>, from: string, to: string) =>
    Effect.map(
      Effect.forEach(
        objects,
        ({ bytes, name }) =>
          Effect.map(
            copyOne(`${from}${name}`, `${to}${name}`),
            (size) => size !== undefined && size === (bytes ?? size),
          ),
        concurrency,
      ),
      (are) => are.every((is) => is),
    )

  return {
    copy,
    /** Puts a part in its place, without what lies there already. */
    promote: ({ attempt }: ChunkedEncode, part: ChunkOutput, promoted: ReadonlySet<string> = new Set()) =>
      copy(
        listObjects(part).filter(({ name }) => !promoted.has(name)),
        part.staging,
        attempt.prefix,
      ),
  }
}
export type ChunkObjects = ReturnType<typeof make>

/** Segments and what they begin with; no pictures. */
export const listObjects = ({ tracks }: Pick<ChunkOutput, "tracks">) =>
  tracks.flatMap(({ folder, init_bytes, segments }) => [
    { name: `${folder}/${initName}`, bytes: init_bytes },
    ...segments.map(({ bytes, name }) => ({ name: `${folder}/${name}`, bytes })),
  ])
