/** Objects in memory, for tests; they end with the Layer. */
import { toUrl } from "@armoricore/domain/ObjectRef"
import { createHash, randomBytes } from "node:crypto"
import { NotFound } from "@armoricore/domain/Errors"
import { Clock, Effect, Layer, Redacted, Stream } from "effect"
import { ObjectSigner } from "../local/ObjectSigner.ts"
import { emulatedMultipart } from "../local/EmulatedMultipart.ts"
import { check, checkBucket, missingBucket, compareKeys } from "../ObjectKey.ts"
import { type ObjectInfo, type ObjectRef, ObjectStorage } from "../ObjectStorage.ts"
import { PublicUrl } from "../PublicUrl.ts"
import { presigning } from "../local/Presigning.ts"

export interface MemoryStorageOptions {
  /** Buckets that exist from the start; default `["media"]`. `setup` adds others. */
  readonly buckets?: ReadonlyArray<string>
}

interface StoredObject {
  readonly info: ObjectInfo
  readonly bytes: Uint8Array
}

/** Each build has its own storage. `SignedUrlRoutes.routes` serves presigned URLs. */
export const layerNoDeps = (options: MemoryStorageOptions = {}): Layer.Layer<ObjectStorage, never, ObjectSigner> =>
  Layer.effect(
    ObjectStorage,
    Effect.map(ObjectSigner, (signer) => {
      const buckets = new Map((options.buckets ?? ["media"]).map((name) => [name, new Map<string, StoredObject>()]))

      const objectsOf = (bucket: string) => {
        const objects = buckets.get(bucket)
        return objects === undefined ? Effect.fail(missingBucket(bucket)) : Effect.succeed(objects)
      }

      const find = (ref: ObjectRef) =>
        Effect.gen(function* () {
          yield* check(ref)
          const retained = (yield* objectsOf(ref.bucket)).get(ref.key)
          return retained ?? (yield* new NotFound({ resource: "object", id: toUrl(ref) }))
        })

      const objects: Omit<ObjectStorage["Service"], keyof ReturnType<typeof emulatedMultipart>> = {
        put: (ref, body, { contentType, cacheControl, contentDisposition }) =>
          Effect.gen(function* () {
            yield* check(ref)
            const objects = yield* objectsOf(ref.bucket)
            const chunks = body instanceof Uint8Array ? [body] : yield* Stream.runCollect(body)
            const bytes = new Uint8Array(Buffer.concat(chunks))
            const info: ObjectInfo = {
              bucket: ref.bucket,
              key: ref.key,
              size: bytes.byteLength,
              contentType,
              ...(cacheControl === undefined ? {} : { cacheControl }),
              ...(contentDisposition === undefined ? {} : { contentDisposition }),
              etag: createHash("sha256").update(bytes).digest("hex").slice(0, 32),
              modifiedAt: yield* Clock.currentTimeMillis,
            }
            objects.set(ref.key, { info, bytes })
            return info
          }),
        get: (ref, range) =>
          Effect.map(find(ref), ({ info, bytes }) => ({
            info,
            body: Stream.succeed(
              range === undefined
                ? bytes
                : bytes.slice(range.start, range.end === undefined ? undefined : range.end + 1),
            ),
          })),
        head: (ref) => Effect.map(find(ref), ({ info }) => info),
        list: (bucket, prefix) =>
          Stream.unwrap(
            Effect.map(objectsOf(bucket), (objects) =>
              Stream.fromIterable(
                [...objects.values()]
                  .map(({ info }) => info)
                  .filter((info) => info.key.startsWith(prefix))
                  .sort((a, b) => compareKeys(a.key, b.key)),
              ),
            ),
          ),
        copy: (from, to) =>
          Effect.gen(function* () {
            const { bytes, info: was } = yield* find(from)
            yield* check(to)
            const info: ObjectInfo = { ...was, ...to, modifiedAt: yield* Clock.currentTimeMillis }
            ;(yield* objectsOf(to.bucket)).set(to.key, { info, bytes })
            return info
          }),
        remove: (ref) =>
          Effect.gen(function* () {
            yield* check(ref)
            ;(yield* objectsOf(ref.bucket)).delete(ref.key)
          }),
        ...presigning(signer),
        setup: (bucket) =>
          Effect.gen(function* () {
            yield* checkBucket(bucket)
            if (!buckets.has(bucket)) buckets.set(bucket, new Map())
            return `bucket ${bucket}: stored in memory, lost when the process ends`
          }),
      }
      const readAll = (refs: ReadonlyArray<ObjectRef>) =>
        Stream.fromIterable(refs).pipe(
          Stream.flatMap((ref) => Stream.unwrap(Effect.map(objects.get(ref), ({ body }) => body))),
        )
      return ObjectStorage.of({ ...objects, ...emulatedMultipart({ ...objects, readAll }, signer) })
    }),
  )

/** Self-contained; no route serves its presigned URLs. */
export const layer: Layer.Layer<ObjectStorage> = Layer.suspend(() =>
  layerNoDeps().pipe(
    Layer.provide(ObjectSigner.layer({ key: Redacted.make(randomBytes(32).toString("base64")) })),
    Layer.provide(PublicUrl.layerFixed("http://objects.invalid")),
  ),
)
