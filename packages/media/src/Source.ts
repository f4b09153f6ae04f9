/** Fetches an upload from object storage to the work folder. */
import { statfs } from "node:fs/promises"
import { dirname } from "node:path"
import { TransientError } from "@armoricore/domain/Errors"
import { ObjectStorage, type ObjectRef } from "@armoricore/storage/ObjectStorage"
import { Clock, Effect, FileSystem, Stream } from "effect"
import { failure } from "./Failures.ts"
import { diskTrouble } from "@armoricore/ffmpeg/WorkFolder"

export interface Request {
  /** `s3://bucket/key` */
  readonly filePath: string
  /** Buckets that uploads may lie in. */
  readonly buckets: ReadonlyArray<string>
  /** The local file to write. */
  readonly to: string
  /** The most that is fetched. */
  readonly bytes: number
  /** Bytes that must be left on the disk afterwards. */
  readonly freeDisk: number
  /** Called with the part that is there, 0 to 1, at most once a second. */
  readonly onFraction: (part: number) => Effect.Effect<void>
}

/** Returns the size in bytes. Fails with a `PermanentError` of the catalogue where there is nothing to fetch. */
export const download = Effect.fn("Source.download")(function* (request: Request) {
  const fs = yield* FileSystem.FileSystem
  const storage = yield* ObjectStorage
  const source = parse(request.filePath)
  if (!request.buckets.includes(source.bucket)) return yield* failure("unknown_bucket", source.bucket)
  const found = yield* storage
    .get(source)
    .pipe(Effect.catchTag("NotFound", () => Effect.fail(failure("source_missing"))))
  const { size } = found.info
  if (size === 0) return yield* failure("empty_file")
  if (size > request.bytes) return yield* failure("too_large", `${size} bytes, at most ${request.bytes}`)
  const free = yield* freeBytes(request.to)
  if (free < size + request.freeDisk) {
    return yield* new TransientError({
      dependency: "disk",
      code: "full",
      message: `the work folder has ${free} bytes free and the upload needs ${size + request.freeDisk}`,
    })
  }
  let received = 0
  let told = yield* Clock.currentTimeMillis
  const counted = Stream.tap(found.body, (chunk) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      received += chunk.byteLength
      if (now - told < 1000) return Effect.void
      told = now
      return request.onFraction(received / size)
    }),
  )
  yield* diskTrouble(Stream.run(counted, fs.sink(request.to)))
  return size
})

/** What the platform's file system does not tell. */
const freeBytes = (file: string) =>
  Effect.tryPromise({
    try: () => statfs(dirname(file)),
    catch: (cause) =>
      new TransientError({ dependency: "disk", code: "unavailable", message: "the work folder is gone", cause }),
  }).pipe(Effect.map(({ bavail, bsize }) => bavail * bsize))

/** The event's Schema holds paths to the form `s3://bucket/key`. */
const parse = (filePath: string): ObjectRef => {
  const [bucket = "", ...key] = filePath.slice("s3://".length).split("/")
  return { bucket, key: key.join("/") }
}
