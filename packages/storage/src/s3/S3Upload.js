/**
 * One upload to S3 from a stream of unknown length. A body that fits into one part is one PUT; a longer one is a
 * multipart upload with a few parts at once, which become visible together. A failed or interrupted upload leaves no
 * parts behind.
 */
import { AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CreateMultipartUploadCommand, PutObjectCommand, UploadPartCommand, } from "@aws-sdk/client-s3";
import { Effect, Stream } from "effect";
import { toStorageError } from "./S3Errors.ts";
/** 10,000 parts make 80 GiB at most. */
const partSize = 8 * 1024 * 1024;
const partConcurrency = 3;
export const upload = (client, ref, body, options) => Effect.gen(function* () {
    const target = { Bucket: ref.bucket, Key: ref.key };
    const fields = {
        ...target,
        ContentType: options.contentType,
        ...(options.cacheControl === undefined ? {} : { CacheControl: options.cacheControl }),
        ...(options.contentDisposition === undefined ? {} : { ContentDisposition: options.contentDisposition }),
    };
    const call = (run) => Effect.tryPromise({ try: run, catch: (cause) => toStorageError(ref.bucket, cause) });
    let uploadId;
    const begin = yield* Effect.cached(Effect.map(call((abortSignal) => client.send(new CreateMultipartUploadCommand(fields), { abortSignal })), (begun) => {
        uploadId = begun.UploadId;
        return begun.UploadId;
    }));
    const send = (part) => part.number === 1 && part.last
        ? Effect.map(call((abortSignal) => client.send(new PutObjectCommand({ ...fields, Body: part.bytes }), { abortSignal })), (put) => ({ part, etag: put.ETag }))
        : Effect.flatMap(begin, (UploadId) => Effect.map(call((abortSignal) => client.send(new UploadPartCommand({ ...target, UploadId, PartNumber: part.number, Body: part.bytes }), {
            abortSignal,
        })), (sent) => ({ part, etag: sent.ETag })));
    const whole = Effect.gen(function* () {
        const sent = yield* splitIntoParts(body).pipe(Stream.mapEffect((part) => Effect.map(send(part), ({ etag }) => ({ number: part.number, size: part.bytes.byteLength, etag })), {
            concurrency: partConcurrency,
        }), Stream.runCollect);
        const size = sent.reduce((sum, part) => sum + part.size, 0);
        if (uploadId === undefined)
            return { etag: unquotedEtag(sent[0]?.etag), size };
        const complete = new CompleteMultipartUploadCommand({
            ...target,
            UploadId: uploadId,
            MultipartUpload: { Parts: sent.map((part) => ({ PartNumber: part.number, ETag: part.etag })) },
        });
        const completed = yield* call((abortSignal) => client.send(complete, { abortSignal }));
        return { etag: unquotedEtag(completed.ETag), size };
    });
    return yield* Effect.onError(whole, () => uploadId === undefined
        ? Effect.void
        : call(() => client.send(new AbortMultipartUploadCommand({ ...target, UploadId: uploadId }))).pipe(Effect.catch((error) => Effect.logWarning("parts of an aborted upload stay in the bucket until a lifecycle rule deletes them", error))));
});
export const unquotedEtag = (etag) => (etag ?? "").replace(/^W\//, "").replaceAll('"', "");
/** Parts of `partBytes` or slightly more; the last one has the rest, and is the only one that may be empty. */
const splitIntoParts = (body) => Stream.mapAccum(body, () => ({ number: 1, chunks: [], size: 0 }), (pending, chunk) => {
    // Mutates in place: copying for each of a million small chunks would be quadratic, and the state belongs to this
    // run.
    pending.chunks.push(chunk);
    const size = pending.size + chunk.byteLength;
    if (size < partSize)
        return [{ ...pending, size }, []];
    const part = { number: pending.number, bytes: Buffer.concat(pending.chunks), last: false };
    return [{ number: pending.number + 1, chunks: [], size: 0 }, [part]];
}, {
    onHalt: (rest) => rest.size > 0 || rest.number === 1
        ? [{ number: rest.number, bytes: Buffer.concat(rest.chunks), last: true }]
        : [],
});
