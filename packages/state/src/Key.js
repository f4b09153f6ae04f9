/** Valid bucket names and keys, and the order of keys, in one place, so that every adapter accepts and sorts alike. */
import { ConfigurationError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
/** Bytes of UTF-8. */
export const maxKeyBytes = 512;
/**
 * Fails for a bucket name or key that some adapter cannot store: longer than 512 bytes, empty, or not well-formed text
 * (a lone surrogate, NUL). The caller built the key, so a retry does not help.
 */
export const check = (bucket, key) => {
    if (key === "")
        return invalidKey(bucket, key, "is empty");
    if (!key.isWellFormed() || key.includes("\0"))
        return invalidKey(bucket, key, "is not text");
    if (Buffer.byteLength(key) > maxKeyBytes)
        return invalidKey(bucket, key, `is longer than ${maxKeyBytes} bytes`);
    return checkBucket(bucket);
};
export const checkBucket = (bucket) => /^[a-z0-9_]+$/.test(bucket.name)
    ? Effect.void
    : Effect.fail(new ConfigurationError({
        setting: `state bucket ${bucket.name}`,
        message: `the state bucket ${JSON.stringify(bucket.name)} needs a name of a-z, 0-9 and _`,
    }));
/** The order of `list`: by Unicode code point, which equals the order of UTF-8 bytes. */
export const compareKeys = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const invalidKey = (bucket, key, why) => Effect.fail(new ConfigurationError({
    setting: `state bucket ${bucket.name}`,
    message: `the key ${JSON.stringify(key.slice(0, 100))} of the state bucket ${bucket.name} ${why}`,
}));
