/** When an entry ends: the earlier of its own expiry and the bucket's `maxAge`, both counted from the write. */
import { Duration } from "effect"
import type { Bucket, WriteOptions } from "./KeyValue.ts"

/** Epoch milliseconds; undefined: never. */
export const expiresAt = (bucket: Bucket, options: WriteOptions | undefined, now: number): number | undefined => {
  const own = options?.expiresIn === undefined ? Infinity : Duration.toMillis(options.expiresIn)
  const most = bucket.maxAge === "never" ? Infinity : Duration.toMillis(bucket.maxAge)
  const least = Math.min(own, most)
  return Number.isFinite(least) ? now + least : undefined
}

export const isOver = (end: number | undefined, now: number): boolean => end !== undefined && end <= now
