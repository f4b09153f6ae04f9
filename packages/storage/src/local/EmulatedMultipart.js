/**
 * Multipart uploads for adapters without a server: each part is an object below `.parts/<upload>/`, and completing the
 * upload streams the parts into the final object.
 */
import { randomUUID } from "node:crypto";
import { NotFound } from "@armoricore/domain/Errors";
import { Effect, Stream } from "effect";
import { check } from "../ObjectKey.ts";
/** The prefix of incomplete uploads. */
export const multipartPrefix = ".parts/";
export const emulatedMultipart = (objects, signer) => {
    const folder = (uploadId) => `${multipartPrefix}${uploadId.replaceAll(/[^A-Za-z0-9-]/g, "_")}/`;
    const partOf = ({ bucket }, uploadId, number) => ({
        bucket,
        key: `${folder(uploadId)}${String(number).padStart(5, "0")}`,
    });
    /** The upload's target: the object's content is the key, its content type the type. */
    const uploadMarker = (ref, uploadId) => ({
        bucket: ref.bucket,
        key: `${folder(uploadId)}upload`,
    });
    const findUpload = Effect.fnUntraced(function* (ref, uploadId) {
        const { body, info } = yield* objects.get(uploadMarker(ref, uploadId));
        const key = Buffer.concat(yield* Stream.runCollect(body)).toString("utf8");
        return key === ref.key ? info : yield* new NotFound({ resource: "upload", id: uploadId });
    });
    const removeParts = (ref, uploadId) => Stream.runForEach(objects.list(ref.bucket, folder(uploadId)), ({ bucket, key }) => objects.remove({ bucket, key }));
    return {
        createMultipartUpload: (ref, { contentType }) => Effect.gen(function* () {
            yield* check(ref);
            const uploadId = randomUUID();
            yield* objects.put(uploadMarker(ref, uploadId), Buffer.from(ref.key), { contentType });
            return uploadId;
        }),
        presignPart: (ref, uploadId, { expiresIn, number, size }) => Effect.andThen(check(ref), signer.sign({ method: "PUT", ...partOf(ref, uploadId, number), size }, expiresIn)),
        completeMultipartUpload: (ref, uploadId, parts) => Effect.gen(function* () {
            yield* check(ref);
            const { contentType } = yield* findUpload(ref, uploadId);
            const refs = parts.map(({ number }) => partOf(ref, uploadId, number));
            for (const [index, part] of refs.entries()) {
                const { etag } = yield* objects.head(part);
                if (etag !== parts[index]?.etag.replaceAll('"', "")) {
                    return yield* new NotFound({ resource: "part", id: String(parts[index]?.number) });
                }
            }
            const bodies = Stream.fromIterable(refs).pipe(Stream.flatMap((part) => Stream.unwrap(Effect.map(objects.get(part), ({ body }) => body))));
            const info = yield* objects.put(ref, bodies, { contentType });
            yield* removeParts(ref, uploadId);
            return info;
        }),
        abortMultipartUpload: (ref, uploadId) => Effect.andThen(check(ref), removeParts(ref, uploadId)),
    };
};
