/** Valid bucket names and keys, and the order of keys, in one place, so that every adapter accepts and sorts alike. */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { Effect } from "effect"
import type { Bucket } from "./KeyValue.ts"

/** Bytes of UTF-8. */
export const maxKeyBytes = 512

/**
 * Fails for a bucket name or key that some adapter cannot store: longer than 512 bytes, empty, or not well-formed text
 * (a lone surrogate, NUL). The caller built the key, so a retry does not help.
 */
export const check = (bucket: Bucket, key: string): Effect.Effect<void, ConfigurationError> => {
  if (key === "") return invalidKey(bucket, key, "is empty")
  if (!key.isWellFormed() || key.includes("\0")) return invalidKey(bucket, key, "is not text")
  if (Buffer.byteLength(key) > maxKeyBytes) return invalidKey(bucket, key, `is longer than ${maxKeyBytes} bytes`)
  return checkBucket(bucket)
}

/** `check` of several keys. */
export const checkAll = (bucket: Bucket, keys: ReadonlyArray<string>): Effect.Effect<void, ConfigurationError> => {
  for (const key of keys) {
    const checked = check(bucket, key)
    if (checked !== Effect.void) return checked
  }
  return Effect.void
}

export const checkBucket = (bucket: Bucket): Effect.Effect<void, ConfigurationError> =>
  /^[a-z0-9_]+$/.test(bucket.name)
    ? Effect.void
    : Effect.fail(
        new ConfigurationError({
          setting: `state bucket ${bucket.name}`,
          message: `the state bucket ${JSON.stringify(bucket.name)} needs a name of a-z, 0-9 and _`,
        }),
      )

/** The order of `list`: by Unicode code point, which equals the order of UTF-8 bytes. */
export const compareKeys = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

const invalidKey = (bucket: Bucket, key: string, why: string) =>
  Effect.fail(
    new ConfigurationError({
      setting: `state bucket ${bucket.name}`,
      message: `the key ${JSON.stringify(key.slice(0, 100))} of the state bucket ${bucket.name} ${why}`,
    }),
  )
