/** Objects in S3, MinIO and other S3-compatible servers, with path-style addresses (`<endpoint>/<bucket>/<key>`). */
import { Readable } from "node:stream";
import { AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CopyObjectCommand, CreateBucketCommand, CreateMultipartUploadCommand, DeleteObjectCommand, GetObjectCommand, HeadBucketCommand, HeadObjectCommand, paginateListObjectsV2, PutObjectCommand, S3Client, UploadPartCommand, } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { NotFound } from "@armoricore/domain/Errors";
import { Clock, Duration, Effect, Layer, Redacted, Stream } from "effect";
import { check, checkBucket, missingBucket } from "../ObjectKey.ts";
import { ObjectStorage } from "../ObjectStorage.ts";
import { isMissingPart, isNotFound, isRangeBeyondEnd, notFound, toStorageError } from "./S3Errors.ts";
import { unquotedEtag, upload } from "./S3Upload.ts";
export const layer = (options) => Layer.effect(ObjectStorage, Effect.map(Effect.acquireRelease(Effect.sync(() => makeClient(options)), (client) => Effect.sync(() => client.destroy())), (client) => make(client, options)));
const makeClient = (options) => new S3Client({
    endpoint: options.endpoint,
    region: options.region,
    credentials: { accessKeyId: options.accessKey, secretAccessKey: Redacted.value(options.secretKey) },
    forcePathStyle: true,
    maxAttempts: options.maxAttempts ?? 3,
    // Otherwise the SDK signs the checksum of an empty body into a presigned PUT, which servers other than AWS reject.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 120_000, throwOnRequestTimeout: true },
});
const make = (client, options) => {
    /** One request; interruption aborts it. Preserves the cause for callers that inspect it. */
    const send = (run) => Effect.tryPromise({ try: run, catch: (cause) => cause });
    const call = (bucket, run) => Effect.mapError(send(run), (cause) => toStorageError(bucket, cause));
    const bucketExists = (bucket) => send((abortSignal) => client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal })).pipe(Effect.as(true), Effect.catch((cause) => (isNotFound(cause) ? Effect.succeed(false) : Effect.fail(toStorageError(bucket, cause)))));
    /** A 404 without a code concerns either the object or the bucket. */
    const objectError = (ref) => (cause) => isNotFound(cause)
        ? Effect.flatMap(bucketExists(ref.bucket), (there) => Effect.fail(there ? notFound(ref) : missingBucket(ref.bucket)))
        : Effect.fail(toStorageError(ref.bucket, cause));
    const head = (ref) => Effect.andThen(check(ref), send((abortSignal) => client.send(new HeadObjectCommand({ Bucket: ref.bucket, Key: ref.key }), { abortSignal })).pipe(Effect.map((found) => infoOf(ref, found, found.ContentLength ?? 0)), Effect.catch(objectError(ref))));
    const get = (ref, range) => {
        const command = new GetObjectCommand({
            Bucket: ref.bucket,
            Key: ref.key,
            ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end ?? ""}` }),
        });
        return send((abortSignal) => client.send(command, { abortSignal })).pipe(Effect.map((found) => {
            const size = /\/([0-9]+)$/.exec(found.ContentRange ?? "")?.[1];
            return {
                info: infoOf(ref, found, size === undefined ? (found.ContentLength ?? 0) : Number(size)),
                body: bodyOf(ref, found.Body),
            };
        }), Effect.catch((cause) => isRangeBeyondEnd(cause)
            ? Effect.map(head(ref), (info) => ({ info, body: Stream.empty }))
            : objectError(ref)(cause)));
    };
    const presign = (ref, sign, expiresIn, signableHeaders) => Effect.gen(function* () {
        yield* check(ref);
        const now = yield* Clock.currentTimeMillis;
        const seconds = Math.ceil(Duration.toSeconds(expiresIn));
        const url = yield* call(ref.bucket, () => sign({
            expiresIn: seconds,
            signingDate: new Date(now),
            signableHeaders: new Set(signableHeaders),
        }));
        return { url, expiresAt: Math.floor(now / 1000) * 1000 + seconds * 1000 };
    });
    return ObjectStorage.of({
        put: (ref, body, putOptions) => Effect.gen(function* () {
            yield* check(ref);
            const chunks = body instanceof Uint8Array ? Stream.succeed(body) : body;
            const { etag, size } = yield* upload(client, ref, chunks, putOptions);
            const info = { ...ref, ...putOptions, size, etag, modifiedAt: yield* Clock.currentTimeMillis };
            return info;
        }),
        get: (ref, range) => Effect.andThen(check(ref), get(ref, range)),
        head,
        list: (bucket, prefix) => Stream.unwrap(Effect.as(checkBucket(bucket), Stream.fromAsyncIterable(paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix }), (cause) => toStorageError(bucket, cause)).pipe(Stream.flatMap((page) => Stream.fromIterable(page.Contents ?? [])), Stream.map((found) => ({
            bucket,
            key: found.Key ?? "",
            size: found.Size ?? 0,
            etag: unquotedEtag(found.ETag),
            modifiedAt: found.LastModified?.getTime() ?? 0,
        }))))),
        copy: (from, to) => Effect.gen(function* () {
            yield* check(from);
            yield* check(to);
            const command = new CopyObjectCommand({
                Bucket: to.bucket,
                Key: to.key,
                CopySource: `${from.bucket}/${from.key.split("/").map(encodeURIComponent).join("/")}`,
            });
            yield* send((abortSignal) => client.send(command, { abortSignal })).pipe(Effect.catch((cause) => 
            // The response does not say which of the two buckets is missing.
            Effect.flatMap(isNotFound(cause) ? Effect.succeed(true) : bucketExists(from.bucket), (there) => objectError(there && !isNotFound(cause) ? to : from)(cause))));
            return yield* head(to);
        }),
        remove: (ref) => Effect.gen(function* () {
            yield* check(ref);
            yield* call(ref.bucket, (abortSignal) => client.send(new DeleteObjectCommand({ Bucket: ref.bucket, Key: ref.key }), { abortSignal }));
        }),
        presignGet: (ref, { expiresIn }) => Effect.map(presign(ref, (how) => getSignedUrl(client, new GetObjectCommand({ Bucket: ref.bucket, Key: ref.key }), how), expiresIn, ["host"]), (signed) => ({ ...signed, method: "GET", headers: {} })),
        presignPut: (ref, { expiresIn, contentType, size }) => Effect.map(presign(ref, (how) => getSignedUrl(client, new PutObjectCommand({
            Bucket: ref.bucket,
            Key: ref.key,
            ContentType: contentType,
            ...(size === undefined ? {} : { ContentLength: size }),
        }), how), expiresIn, 
        // The SDK signs neither by default. A page cannot set the content length header; the browser does.
        ["host", "content-type", ...(size === undefined ? [] : ["content-length"])]), (signed) => ({ ...signed, method: "PUT", headers: { "content-type": contentType } })),
        createMultipartUpload: (ref, { contentType }) => Effect.gen(function* () {
            yield* check(ref);
            const command = new CreateMultipartUploadCommand({ Bucket: ref.bucket, Key: ref.key, ContentType: contentType });
            const { UploadId = "" } = yield* call(ref.bucket, (abortSignal) => client.send(command, { abortSignal }));
            return UploadId;
        }),
        presignPart: (ref, uploadId, { expiresIn, number, size }) => Effect.map(presign(ref, (how) => getSignedUrl(client, new UploadPartCommand({
            Bucket: ref.bucket,
            Key: ref.key,
            UploadId: uploadId,
            PartNumber: number,
            ContentLength: size,
        }), how), expiresIn, ["host", "content-length"]), (signed) => ({ ...signed, method: "PUT", headers: {} })),
        completeMultipartUpload: (ref, uploadId, parts) => Effect.gen(function* () {
            yield* check(ref);
            const command = new CompleteMultipartUploadCommand({
                Bucket: ref.bucket,
                Key: ref.key,
                UploadId: uploadId,
                MultipartUpload: { Parts: parts.map(({ etag, number }) => ({ PartNumber: number, ETag: etag })) },
            });
            yield* send((abortSignal) => client.send(command, { abortSignal })).pipe(Effect.mapError((cause) => isMissingPart(cause)
                ? new NotFound({ resource: "upload", id: uploadId })
                : toStorageError(ref.bucket, cause)));
            return yield* head(ref);
        }),
        abortMultipartUpload: (ref, uploadId) => Effect.gen(function* () {
            yield* check(ref);
            const command = new AbortMultipartUploadCommand({ Bucket: ref.bucket, Key: ref.key, UploadId: uploadId });
            yield* send((abortSignal) => client.send(command, { abortSignal })).pipe(Effect.catch((cause) => isMissingPart(cause) ? Effect.void : Effect.fail(toStorageError(ref.bucket, cause))));
        }),
        setup: (bucket) => Effect.gen(function* () {
            yield* checkBucket(bucket);
            if (yield* bucketExists(bucket))
                return `bucket ${bucket}: there`;
            return yield* call(bucket, (abortSignal) => client.send(new CreateBucketCommand({ Bucket: bucket, ...locationOf(options) }), { abortSignal })).pipe(Effect.as(`bucket ${bucket}: created`), 
            // Another process created it at the same moment.
            Effect.catch((error) => Effect.flatMap(bucketExists(bucket), (isThere) => isThere ? Effect.succeed(`bucket ${bucket}: there`) : Effect.fail(error))));
        }),
    });
};
const infoOf = (ref, found, size) => ({
    bucket: ref.bucket,
    key: ref.key,
    size,
    contentType: found.ContentType ?? "application/octet-stream",
    ...(found.CacheControl === undefined ? {} : { cacheControl: found.CacheControl }),
    ...(found.ContentDisposition === undefined ? {} : { contentDisposition: found.ContentDisposition }),
    etag: unquotedEtag(found.ETag),
    modifiedAt: found.LastModified?.getTime() ?? 0,
});
const bodyOf = (ref, body) => body instanceof Readable
    ? Stream.fromAsyncIterable(body, (cause) => toStorageError(ref.bucket, cause))
    : Stream.empty;
/** AWS requires the region of a new bucket except in us-east-1; other servers do not know the field. */
const locationOf = ({ endpoint, region }) => /\.amazonaws\.com(\.cn)?(:|\/|$)/.test(endpoint) && region !== "us-east-1"
    ? { CreateBucketConfiguration: { LocationConstraint: region } }
    : {};
