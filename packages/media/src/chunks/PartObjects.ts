/** Copies what a part is made of inside the storage: to where the playlists look for it, or to another worker's folder. */
import type { NotFound } from "@armoricore/domain/Errors"
import { ObjectStorage, type StorageError } from "@armoricore/storage/ObjectStorage"
import { Effect } from "effect"
import { again, initName } from "../SegmentUploader.ts"
import type { Job, Part } from "./ChunkJobs.ts"
import type { Shared } from "./Shared.ts"

export const make = ({ options }: Pick<Shared, "options">) => {
  const concurrency = { concurrency: options.uploads ?? 4 }

  /** The size of the copy; undefined where there is nothing to be copied. */
  const copyOne = Effect.fnUntraced(function* (from: string, to: string) {
    const storage = yield* ObjectStorage
    const copied: Effect.Effect<number | undefined, NotFound | StorageError> = Effect.map(
      storage.copy({ bucket: options.bucket, key: from }, { bucket: options.bucket, key: to }),
      ({ size }) => size,
    )
    return yield* again(Effect.catchTag(copied, "NotFound", () => Effect.undefined))
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
    place: ({ attempt }: Job, part: Part, placed: ReadonlySet<string> = new Set()) =>
      copy(
        objectsOf(part).filter(({ name }) => !placed.has(name)),
        part.staging,
        attempt.prefix,
      ),
  }
}
export type PartObjects = ReturnType<typeof make>

/** Segments and what they begin with; no pictures. */
export const objectsOf = ({ folders }: Pick<Part, "folders">) =>
  folders.flatMap(({ folder, initBytes, segments }) => [
    { name: `${folder}/${initName}`, bytes: initBytes },
    ...segments.map(({ bytes, name }) => ({ name: `${folder}/${name}`, bytes })),
  ])
