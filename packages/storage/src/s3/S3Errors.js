/** Maps the errors of S3 and compatible servers to one error per recovery decision. */
import { toUrl } from "@armoricore/domain/ObjectRef";
import { S3ServiceException } from "@aws-sdk/client-s3";
import { ConfigurationError, NotFound, TransientError } from "@armoricore/domain/Errors";
import { missingBucket } from "../ObjectKey.ts";
/** The object does not exist; a HEAD response has no error code, only its status. */
export const isNotFound = (cause) => cause instanceof S3ServiceException &&
    cause.$metadata.httpStatusCode === 404 &&
    cause.name !== "NoSuchBucket" &&
    cause.name !== "NoSuchUpload";
export const notFound = (ref) => new NotFound({ resource: "object", id: toUrl(ref) });
export const isRangeBeyondEnd = (cause) => cause instanceof S3ServiceException && cause.$metadata.httpStatusCode === 416;
/** A multipart upload that ended, or a part with another ETag. */
export const isMissingPart = (cause) => cause instanceof S3ServiceException && ["NoSuchUpload", "InvalidPart", "InvalidPartOrder"].includes(cause.name);
export const toStorageError = (bucket, cause) => {
    if (!(cause instanceof S3ServiceException)) {
        return transient("unavailable", `the object storage cannot be reached: ${describe(cause)}`, cause);
    }
    const status = cause.$metadata.httpStatusCode ?? 500;
    if (cause.name === "NoSuchBucket")
        return missingBucket(bucket);
    if (cause.name === "BucketAlreadyExists") {
        return new ConfigurationError({
            setting: "OBJECT_STORAGE_BUCKET",
            message: `the bucket ${bucket} belongs to another account; set OBJECT_STORAGE_BUCKET to another name`,
            cause,
        });
    }
    if (cause.name === "RequestTimeTooSkewed") {
        return new ConfigurationError({
            setting: "clock",
            message: "the object storage rejects requests because the clocks differ; set this machine's clock",
            cause,
        });
    }
    if (status === 401 || status === 403) {
        return new ConfigurationError({
            setting: "OBJECT_STORAGE_ACCESS_KEY",
            message: `the object storage refuses the credentials for the bucket ${bucket} (${cause.name}); check OBJECT_STORAGE_ACCESS_KEY, OBJECT_STORAGE_SECRET_KEY and their permissions`,
            cause,
        });
    }
    if (status === 301 || cause.name === "AuthorizationHeaderMalformed") {
        return new ConfigurationError({
            setting: "OBJECT_STORAGE_REGION",
            message: `the bucket ${bucket} is in another region; check OBJECT_STORAGE_REGION and OBJECT_STORAGE_ENDPOINT`,
            cause,
        });
    }
    // S3 answers 400 RequestTimeout to a body that arrives too slowly.
    const passing = status >= 500 || status === 408 || status === 409 || status === 429 || cause.name === "RequestTimeout";
    if (passing)
        return transient(status === 429 || cause.name === "SlowDown" ? "throttled" : "unavailable", describe(cause), cause);
    return new ConfigurationError({
        setting: `bucket ${bucket}`,
        message: `the object storage refuses the request (${status} ${cause.name}): ${cause.message}`,
        cause,
    });
};
const transient = (code, message, cause) => {
    const retryAfterMillis = retryAfterOf(cause);
    return new TransientError({
        dependency: "storage",
        code,
        message,
        cause,
        ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }),
    });
};
/** `Retry-After` in seconds; for the rare date format our own backoff applies. */
const retryAfterOf = (cause) => {
    if (!(cause instanceof S3ServiceException))
        return undefined;
    const header = cause.$response?.headers["retry-after"];
    return header !== undefined && /^[0-9]{1,6}$/.test(header) ? Number(header) * 1000 : undefined;
};
const describe = (cause) => cause instanceof Error ? (cause.message === "" ? cause.name : `${cause.name}: ${cause.message}`) : String(cause);
