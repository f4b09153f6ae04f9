/**
 * When an entry expires: at its own expiry or the bucket's `maxAge`, whichever is earlier, both counted from the write.
 */
import { Duration } from "effect";
/** Epoch milliseconds; undefined: never. */
export const expiryOf = (bucket, options, now) => {
    const ownLifetime = options?.expiresIn === undefined ? Infinity : Duration.toMillis(options.expiresIn);
    const maxLifetime = bucket.maxAge === "never" ? Infinity : Duration.toMillis(bucket.maxAge);
    const lifetime = Math.min(ownLifetime, maxLifetime);
    return Number.isFinite(lifetime) ? now + lifetime : undefined;
};
export const isExpired = (expiresAt, now) => expiresAt !== undefined && expiresAt <= now;
