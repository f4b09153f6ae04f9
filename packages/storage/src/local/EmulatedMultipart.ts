/**
 * Multipart uploads for adapters without a server: each part is an object below `.parts/<upload>/`, and completing the
 * upload streams the parts into the final object.
 */
import { randomUUID } from "node:crypto"
import { NotFound } from "@armoricore/domain/Errors"
import { Effect, Stream } from "effect"
import { check } from "../ObjectKey.ts"
import type { ObjectRef, ObjectStorage, StorageError } from "../ObjectStorage.ts"
import type { ObjectSigner } from "./ObjectSigner.ts"

type Port = ObjectStorage["Service"]

/** The prefix of incomplete uploads. */
export const multipartPrefix = ".parts/"

export const emulatedMultipart = (
  objects: Pick<Port, "put" | "get" | "head" | "list" | "remove"> & {
    /** The bytes of these objects, one after the other. A chunk is valid until the next one is read. */
    readonly readAll: (refs: ReadonlyArray<ObjectRef>) => Stream.Stream<Uint8Array, NotFound | StorageError>
  },
  signer: ObjectSigner["Service"],
): Pick<
  Port,
  "createMultipartUpload" | "presignPart" | "putPart" | "completeMultipartUpload" | "abortMultipartUpload"
> => {
  const folder = (uploadId: string) => `${multipartPrefix}${uploadId.replaceAll(/[^A-Za-z0-9-]/g, "_")}/`
  const partOf = ({ bucket }: ObjectRef, uploadId: string, number: number): ObjectRef => ({
    bucket,
    key: `${folder(uploadId)}${String(number).padStart(5, "0")}`,
  })
  /** The upload's target: the object's content is the key, its content type the type. */
  const uploadMarker = (ref: ObjectRef, uploadId: string): ObjectRef => ({
    bucket: ref.bucket,
    key: `${folder(uploadId)}upload`,
  })

  const findUpload = Effect.fnUntraced(function* (ref: ObjectRef, uploadId: string) {
    const { body, info } = yield* objects.get(uploadMarker(ref, uploadId))
    const key = Buffer.concat(yield* Stream.runCollect(body)).toString("utf8")
    return key === ref.key ? info : yield* new NotFound({ resource: "upload", id: uploadId })
  })

  const removeParts = (ref: ObjectRef, uploadId: string) =>
    Stream.runForEach(objects.list(ref.bucket, folder(uploadId)), ({ bucket, key }) => objects.remove({ bucket, key }))

  return {
    createMultipartUpload: (ref, { contentType }) =>
      Effect.gen(function* () {
        yield* check(ref)
        const uploadId = randomUUID()
        yield* objects.put<never, never>(uploadMarker(ref, uploadId), Buffer.from(ref.key), { contentType })
        return uploadId
      }),
    presignPart: (ref, uploadId, { expiresIn, number, size }) =>
      Effect.andThen(check(ref), signer.sign({ method: "PUT", ...partOf(ref, uploadId, number), size }, expiresIn)),
    putPart: (ref, uploadId, { body, number }) =>
      Effect.gen(function* () {
        yield* check(ref)
        const { contentType } = yield* findUpload(ref, uploadId)
        const part = partOf(ref, uploadId, number)
        const { etag } = yield* objects.put<never, never>(part, body, { contentType })
        // An abort since has listed the parts before this one was there.
        yield* Effect.tapError(findUpload(ref, uploadId), () => objects.remove(part))
        return { number, etag }
      }),
    completeMultipartUpload: (ref, uploadId, parts) =>
      Effect.gen(function* () {
        yield* check(ref)
        const { contentType } = yield* findUpload(ref, uploadId)
        const refs = parts.map(({ number }) => partOf(ref, uploadId, number))
        for (const [index, part] of refs.entries()) {
          const { etag } = yield* objects.head(part)
          if (etag !== parts[index]?.etag.replaceAll('"', "")) {
            return yield* new NotFound({ resource: "part", id: String(parts[index]?.number) })
          }
        }
        const info = yield* objects.put<NotFound | StorageError, never>(ref, objects.readAll(refs), { contentType })
        yield* removeParts(ref, uploadId)
        return info
      }),
    abortMultipartUpload: (ref, uploadId) => Effect.andThen(check(ref), removeParts(ref, uploadId)),
  }
}
