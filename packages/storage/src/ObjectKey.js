/**
 * Valid bucket names and keys, and the order of keys, in one place, so that every adapter accepts and sorts alike. Keys
 * come from events (`s3://bucket/key`) and must not be trusted before this check.
 */
import { ConfigurationError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
/** Bytes of UTF-8; S3's limit. */
export const maxKeyBytes = 1024;
/** Undefined if the reference is valid, else a sentence that says why not. */
export const invalidReason = ({ bucket, key }) => {
    const named = `the object key ${JSON.stringify(key.slice(0, 100))}`;
    if (!isBucket(bucket))
        return invalidBucketReason(bucket);
    if (key === "")
        return "an object key is empty";
    if (!key.isWellFormed() || key.includes("\0"))
        return `${named} is not text`;
    if (Buffer.byteLength(key) > maxKeyBytes)
        return `${named} is longer than ${maxKeyBytes} bytes`;
    if (key.startsWith("/"))
        return `${named} starts with a slash; leave it out`;
    if (key.split("/").some((part) => part === "." || part === ".."))
        return `${named} contains the path segment . or ..; remove it`;
    return undefined;
};
export const check = (ref) => {
    const fault = invalidReason(ref);
    return fault === undefined ? Effect.void : invalidReference(ref.bucket, fault);
};
export const checkBucket = (bucket) => isBucket(bucket) ? Effect.void : invalidReference(bucket, invalidBucketReason(bucket));
/** The error of every adapter for a missing bucket. */
export const missingBucket = (bucket) => new ConfigurationError({
    setting: "OBJECT_STORAGE_BUCKET",
    message: `the bucket ${bucket} does not exist; run "armoricore setup" or create it`,
});
/** The order of `list`: by Unicode code point, which equals the order of UTF-8 bytes and of S3. */
export const compareKeys = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const isBucket = (bucket) => /^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$/.test(bucket);
const invalidBucketReason = (bucket) => `the bucket name ${JSON.stringify(bucket.slice(0, 100))} is not 2 to 63 letters, digits, dots or hyphens`;
const invalidReference = (bucket, message) => Effect.fail(new ConfigurationError({ setting: `bucket ${bucket}`, message }));
