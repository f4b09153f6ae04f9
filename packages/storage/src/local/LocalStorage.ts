/**
 * Objects in a local folder, the embedded default: `<folder>/<bucket>/…`, one file per object (`LocalFile`,
 * `LocalPath`). A write goes to `<folder>/.writing` first and is renamed once it is complete and synced.
 */
import { toUrl } from "@armoricore/domain/ObjectRef"
import { randomUUID } from "node:crypto"
import type { Dirent } from "node:fs"
import { mkdir, open, readdir, rename, rm, rmdir, stat } from "node:fs/promises"
import { dirname, join, relative, sep } from "node:path"
import { NotFound } from "@armoricore/domain/Errors"
import { Clock, Duration, Effect, Layer, Option, Stream } from "effect"
import { check, checkBucket, missingBucket, compareKeys } from "../ObjectKey.ts"
import { type ByteRange, type ObjectInfo, type ObjectRef, ObjectStorage, type StorageError } from "../ObjectStorage.ts"
import { Digest, readAt, readTrailer, trailer, withFile } from "./LocalFile.ts"
import { fileSystemCall, isNotFound, toStorageError } from "./LocalErrors.ts"
import { fileOf, folderOf, keyOf } from "./LocalPath.ts"
import { ObjectSigner } from "./ObjectSigner.ts"
import { emulatedMultipart, multipartPrefix } from "./EmulatedMultipart.ts"
import { presigning } from "./Presigning.ts"

export interface LocalStorageOptions {
  /** An absolute path; created if it is missing. */
  readonly folder: string
}

const chunkBytes = 256 * 1024
/**
 * Objects up to this size are read within `get`, so that a playlist is one version even if it is replaced meanwhile.
 */
const maxInlineBytes = 1024 * 1024
/** `setup` deletes partial files of a crash after this. */
const abandonedWriteMillis = 24 * 3600 * 1000
/** A multipart upload without activity is deleted after this; on S3, lifecycle rules do it. */
const abandonedUploadMillis = 7 * 24 * 3600 * 1000
/** The interval of that check in a long-running process. */
const sweepInterval = Duration.hours(6)

export const layer = (options: LocalStorageOptions): Layer.Layer<ObjectStorage, never, ObjectSigner> =>
  Layer.effect(
    ObjectStorage,
    Effect.gen(function* () {
      const signer = yield* ObjectSigner
      const stagingFolder = join(options.folder, ".writing")
      const bucketFolder = (bucket: string) => join(options.folder, bucket)
      const pathOf = (ref: ObjectRef) => join(bucketFolder(ref.bucket), fileOf(ref.key))

      const requireBucket = (bucket: string) =>
        Effect.flatMap(
          fileSystemCall(() =>
            stat(bucketFolder(bucket)).then(
              (found) => found.isDirectory(),
              (cause: unknown) => (isNotFound(cause) ? false : Promise.reject(cause)),
            ),
          ),
          (there) => (there ? Effect.void : Effect.fail(missingBucket(bucket))),
        )

      /** Nothing at this path: the object or the bucket does not exist. */
      const objectNotFound = (ref: ObjectRef) =>
        Effect.andThen(requireBucket(ref.bucket), Effect.fail(new NotFound({ resource: "object", id: toUrl(ref) })))

      const read = <A>(ref: ObjectRef, use: Parameters<typeof withFile<A | undefined>>[1]) =>
        Effect.gen(function* () {
          yield* check(ref)
          const found = yield* fileSystemCall(() =>
            withFile(pathOf(ref), use).catch((cause: unknown) =>
              isNotFound(cause) ? undefined : Promise.reject(cause),
            ),
          )
          return found === undefined ? yield* objectNotFound(ref) : found
        })

      const put: ObjectStorage["Service"]["put"] = (ref, body, { contentType, cacheControl, contentDisposition }) =>
        Effect.gen(function* () {
          yield* check(ref)
          yield* requireBucket(ref.bucket)
          yield* fileSystemCall(() => mkdir(stagingFolder, { recursive: true }))
          const temporary = join(stagingFolder, randomUUID())
          const chunks = body instanceof Uint8Array ? Stream.succeed(body) : body
          const write = Effect.acquireUseRelease(
            fileSystemCall(() => open(temporary, "wx")),
            (file) =>
              Effect.gen(function* () {
                const digest = new Digest()
                yield* Stream.runForEachArray(chunks, (some) =>
                  fileSystemCall(async () => {
                    for (const chunk of some) digest.add(chunk)
                    // Unlike `write`, `writeFile` continues until every byte is written.
                    await file.writeFile(some.length === 1 && some[0] !== undefined ? some[0] : Buffer.concat(some))
                  }),
                )
                const info: ObjectInfo = {
                  bucket: ref.bucket,
                  key: ref.key,
                  size: digest.size,
                  contentType,
                  ...(cacheControl === undefined ? {} : { cacheControl }),
                  ...(contentDisposition === undefined ? {} : { contentDisposition }),
                  etag: digest.etag(),
                  modifiedAt: yield* Clock.currentTimeMillis,
                }
                yield* fileSystemCall(async () => {
                  await file.writeFile(trailer(info))
                  await file.sync()
                })
                return info
              }),
            (file) => Effect.promise(() => file.close()),
          )
          return yield* Effect.tap(write, () => fileSystemCall(() => renameIntoPlace(temporary, pathOf(ref)))).pipe(
            Effect.onError(() => Effect.promise(() => rm(temporary, { force: true }))),
          )
        })

      const objects: Omit<ObjectStorage["Service"], keyof ReturnType<typeof emulatedMultipart>> = {
        put,
        get: (ref, range) =>
          Effect.map(
            read(ref, async (file) => {
              const info = Option.getOrUndefined(await readTrailer(file))
              if (info === undefined) return undefined
              const part = byteSpanOf(info, range)
              const whole = part.length <= maxInlineBytes ? await readAt(file, part.start, part.length) : undefined
              return { info, part, whole }
            }),
            ({ info, part, whole }) => ({
              info,
              body: whole === undefined ? stream(pathOf(ref), info, part) : Stream.succeed<Uint8Array>(whole),
            }),
          ),
        head: (ref) => read(ref, async (file) => Option.getOrUndefined(await readTrailer(file))),
        list: (bucket, prefix) =>
          Stream.unwrap(
            Effect.gen(function* () {
              yield* checkBucket(bucket)
              yield* requireBucket(bucket)
              const root = bucketFolder(bucket)
              const paths = yield* fileSystemCall(() => filesBelow(join(root, folderOf(prefix))))
              const keys = paths
                .map((path) => ({ path, key: keyOf(relative(root, path).split(sep)) ?? "" }))
                .filter(({ key }) => key !== "" && key.startsWith(prefix))
                .sort((a, b) => compareKeys(a.key, b.key))
              return Stream.fromIterable(keys).pipe(
                Stream.mapEffect(({ path }) => fileSystemCall(() => infoAt(path))),
                // Removed since the folder was read, or a foreign file.
                Stream.filter((info) => info !== undefined),
              )
            }),
          ),
        remove: (ref) =>
          Effect.gen(function* () {
            yield* check(ref)
            yield* requireBucket(ref.bucket)
            yield* fileSystemCall(() => removeFile(pathOf(ref), bucketFolder(ref.bucket)))
          }),
        copy: (from, to) =>
          Effect.gen(function* () {
            const info = yield* read(from, async (file) => Option.getOrUndefined(await readTrailer(file)))
            // The open file is one version of the object, so the stream matches `info`.
            return yield* put(to, stream(pathOf(from), info, { start: 0, length: info.size }), info)
          }),
        ...presigning(signer),
        setup: (bucket) =>
          Effect.gen(function* () {
            yield* checkBucket(bucket)
            const now = yield* Clock.currentTimeMillis
            yield* fileSystemCall(async () => {
              await mkdir(bucketFolder(bucket), { recursive: true })
              await mkdir(stagingFolder, { recursive: true })
              await removeAbandonedWrites(stagingFolder, now - abandonedWriteMillis)
            })
            return `bucket ${bucket}: the folder ${bucketFolder(bucket)}`
          }),
      }
      const sweep = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        yield* fileSystemCall(() => removeAbandonedUploads(options.folder, now - abandonedUploadMillis))
      }).pipe(Effect.catch((error) => Effect.logWarning("unfinished uploads were not removed", { error })))
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(sweep, Effect.sleep(sweepInterval))))
      /** New memory for each chunk of a long file would cost more than reading it: the buffers wait for the garbage collector. */
      const readAll = (refs: ReadonlyArray<ObjectRef>) =>
        Stream.suspend(() => {
          const buffer = Buffer.allocUnsafeSlow(chunkBytes)
          return Stream.fromIterable(refs).pipe(
            Stream.flatMap((ref) =>
              Stream.unwrap(
                Effect.map(
                  read(ref, async (file) => Option.getOrUndefined(await readTrailer(file))),
                  (info) => stream(pathOf(ref), info, { start: 0, length: info.size }, buffer),
                ),
              ),
            ),
          )
        })
      return ObjectStorage.of({ ...objects, ...emulatedMultipart({ ...objects, readAll }, signer) })
    }),
  )

interface ByteSpan {
  readonly start: number
  readonly length: number
}

const byteSpanOf = (info: ObjectInfo, range: ByteRange | undefined): ByteSpan => {
  const start = Math.min(range?.start ?? 0, info.size)
  return { start, length: Math.max(0, Math.min(range?.end ?? Infinity, info.size - 1) - start + 1) }
}

/**
 * Reads the file in chunks, and fails if it is not the version that `info` describes. With a `buffer` of `chunkBytes`, each chunk
 * is valid until the next one is read.
 */
const stream = (
  path: string,
  info: ObjectInfo,
  part: ByteSpan,
  buffer?: Buffer,
): Stream.Stream<Uint8Array, StorageError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const file = yield* Effect.acquireRelease(
        fileSystemCall(() => open(path, "r")),
        (opened) => Effect.promise(() => opened.close()),
      )
      const now = yield* fileSystemCall(() => readTrailer(file))
      if (Option.isNone(now) || now.value.etag !== info.etag) {
        return yield* Effect.fail(
          toStorageError(new Error("the object was replaced while it was being read; read it again")),
        )
      }
      const end = part.start + part.length
      return Stream.paginate(part.start, (position) =>
        Effect.map(
          fileSystemCall(() => readAt(file, position, Math.min(chunkBytes, end - position), buffer)),
          (chunk) => {
            const next = position + chunk.byteLength
            return [[chunk], next < end ? Option.some(next) : Option.none<number>()] as const
          },
        ),
      )
    }),
  )

/** A concurrent `remove` may delete the folder between mkdir and rename: then both run again. */
const renameIntoPlace = async (temporary: string, path: string, attemptsLeft = 10): Promise<void> => {
  await mkdir(dirname(path), { recursive: true })
  try {
    await rename(temporary, path)
  } catch (cause) {
    if (!isNotFound(cause) || attemptsLeft === 0) throw cause
    await renameIntoPlace(temporary, path, attemptsLeft - 1)
  }
  // Without this sync a power failure may lose the directory entry. A missing folder was removed by `remove` since.
  await withFile(dirname(path), (folder) => folder.sync()).catch((cause: unknown) => {
    if (!isNotFound(cause)) throw cause
  })
}

const infoAt = (path: string): Promise<ObjectInfo | undefined> =>
  withFile(path, async (file) => Option.getOrUndefined(await readTrailer(file))).catch((cause: unknown) =>
    isNotFound(cause) ? undefined : Promise.reject(cause),
  )

const filesBelow = async (folder: string): Promise<ReadonlyArray<string>> => {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown): Array<Dirent> => {
    if (isNotFound(cause)) return []
    throw cause
  })
  const found: Array<string> = []
  for (const entry of entries) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) found.push(...(await filesBelow(path)))
    else if (entry.isFile()) found.push(path)
  }
  return found
}

/** Also removes empty folders, up to the bucket's own. */
const removeFile = async (path: string, root: string): Promise<void> => {
  await rm(path, { force: true })
  for (let folder = dirname(path); folder.startsWith(root + sep); folder = dirname(folder)) {
    const removed = await rmdir(folder).then(
      () => true,
      () => false,
    )
    if (!removed) return
  }
}

/** In every bucket: the folders of parts without recent activity. */
const removeAbandonedUploads = async (folder: string, before: number): Promise<void> => {
  for (const bucket of await namesIn(folder)) {
    const parts = join(folder, bucket, folderOf(multipartPrefix))
    for (const upload of await namesIn(parts)) {
      const one = join(parts, upload)
      const files = await filesBelow(one)
      const times = await Promise.all(
        [one, ...files].map((path) =>
          stat(path).then(
            ({ mtimeMs }) => mtimeMs,
            () => 0,
          ),
        ),
      )
      if (Math.max(...times) < before) await rm(one, { recursive: true, force: true })
    }
  }
}

/** Empty if the folder does not exist. */
const namesIn = (folder: string): Promise<ReadonlyArray<string>> =>
  readdir(folder).catch((cause: unknown) => {
    if (isNotFound(cause)) return []
    throw cause
  })

const removeAbandonedWrites = async (folder: string, before: number): Promise<void> => {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined)
    if (found !== undefined && found.mtimeMs < before) await rm(path, { force: true })
  }
}
