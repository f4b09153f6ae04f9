/** Segments that are in storage, brought back to the work folder for whoever makes files of them. */
import { TransientError } from "@armoricore/domain/Errors"
import { diskTrouble } from "@armoricore/ffmpeg/WorkFolder"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, FileSystem, Path, Stream } from "effect"
import { audioFolder } from "./FfmpegCommand.ts"
import * as Mp4Files from "./Mp4Files.ts"
import * as OutputGuard from "./OutputGuard.ts"
import { initName, type Uploaded } from "./SegmentUploader.ts"

export const fetchObject = Effect.fnUntraced(function* (bucket: string, key: string, file: string) {
  const fs = yield* FileSystem.FileSystem
  const storage = yield* ObjectStorage
  const { body } = yield* Effect.catchTag(storage.get({ bucket, key }), "NotFound", () =>
    Effect.fail(new TransientError({ dependency: "storage", code: "lost", message: `${key} is gone` })),
  )
  yield* diskTrouble(Stream.run(body, fs.sink(file)))
})

export interface Request {
  readonly bucket: string
  /** Ends with a slash. */
  readonly prefix: string
  /** The local folder, to get a folder for each part. */
  readonly to: string
  readonly uploaded: ReadonlyArray<Uploaded>
  readonly renditions: ReadonlyArray<string>
  /** Bytes that must stay free on the disk. */
  readonly freeDisk: number
}

/** These renditions and the first sound track, named as in storage; there must be room for files of them too. */
export const fetch = Effect.fn("LocalParts.fetch")(function* (request: Request) {
  const fs = yield* FileSystem.FileSystem
  yield* diskTrouble(fs.makeDirectory(request.to, { recursive: true }))
  const { more, segments } = Mp4Files.bytesOf(request.uploaded, request.renditions)
  yield* OutputGuard.room(request.to, segments + more, request.freeDisk, "making files for download")
  yield* OutputGuard.guarded(request.to, request.freeDisk)(fetched(request))
})

const fetched = Effect.fnUntraced(function* ({ bucket, prefix, renditions, to, uploaded }: Request) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  for (const { folder, segments } of uploaded) {
    if (!renditions.includes(folder) && folder !== audioFolder(0)) continue
    yield* diskTrouble(fs.makeDirectory(path.join(to, folder), { recursive: true }))
    yield* Effect.forEach(
      [initName, ...segments.map(({ name }) => name)],
      (name) => fetchObject(bucket, `${prefix}${folder}/${name}`, path.join(to, folder, name)),
      { concurrency: 8, discard: true },
    )
  }
})
