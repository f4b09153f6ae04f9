/**
 * The state in memory, for tests: it ends with its Layer. Time is Effect's Clock, so a test controls when entries
 * expire.
 */
import { Conflict } from "@armoricore/domain/Errors"
import { Clock, Effect, Layer, Option } from "effect"
import { expiryOf, isExpired } from "../Expiry.ts"
import { check, checkAll, checkBucket, compareKeys } from "../Key.ts"
import { type Bucket, type Entry, KeyValue, type WriteOptions } from "../KeyValue.ts"

interface StoredEntry extends Entry {
  readonly expiresAt: number | undefined
}

/** Each build of the Layer has its own state. */
export const layer: Layer.Layer<KeyValue> = Layer.sync(KeyValue, () => {
  const buckets = new Map<string, Map<string, StoredEntry>>()
  // One counter for all keys: a key that is created again gets a new revision.
  let revision = 0

  const entriesOf = (bucket: Bucket): Map<string, StoredEntry> => {
    const known = buckets.get(bucket.name)
    if (known !== undefined) return known
    const fresh = new Map<string, StoredEntry>()
    buckets.set(bucket.name, fresh)
    return fresh
  }

  const current = (bucket: Bucket, key: string, now: number): StoredEntry | undefined => {
    const entries = entriesOf(bucket)
    const entry = entries.get(key)
    if (entry === undefined || !isExpired(entry.expiresAt, now)) return entry
    entries.delete(key)
    return undefined
  }

  const write = (bucket: Bucket, key: string, value: string, options: WriteOptions | undefined, now: number) => {
    revision += 1
    entriesOf(bucket).set(key, { key, value, revision, expiresAt: expiryOf(bucket, options, now) })
    return revision
  }

  /** Decides and writes without yielding in between, which makes it an atomic compare-and-set. */
  const atomically = <A, E>(bucket: Bucket, key: string, decide: (now: number) => Effect.Effect<A, E>) =>
    Effect.andThen(check(bucket, key), Effect.flatMap(Clock.currentTimeMillis, decide))

  return {
    get: (bucket, key) =>
      atomically(bucket, key, (now) =>
        Effect.succeed(Option.map(Option.fromUndefinedOr(current(bucket, key, now)), toEntry)),
      ),
    put: (bucket, key, value, options) =>
      atomically(bucket, key, (now) => Effect.succeed(write(bucket, key, value, options, now))),
    create: (bucket, key, value, options) =>
      atomically(bucket, key, (now) =>
        current(bucket, key, now) === undefined
          ? Effect.succeed(write(bucket, key, value, options, now))
          : Effect.fail(new Conflict({ key })),
      ),
    update: (bucket, key, value, expected, options) =>
      atomically(bucket, key, (now) =>
        current(bucket, key, now)?.revision === expected
          ? Effect.succeed(write(bucket, key, value, options, now))
          : Effect.fail(new Conflict({ key })),
      ),
    getMany: (bucket, keys) =>
      Effect.andThen(
        checkAll(bucket, keys),
        Effect.map(Clock.currentTimeMillis, (now) =>
          keys.map((key) => {
            const entry = current(bucket, key, now)
            return entry === undefined ? undefined : toEntry(entry)
          }),
        ),
      ),
    writeMany: (bucket, writes) =>
      Effect.andThen(
        checkAll(
          bucket,
          writes.map(({ key }) => key),
        ),
        Effect.map(Clock.currentTimeMillis, (now) =>
          writes.map(({ key, revision: expected, value }) =>
            (current(bucket, key, now)?.revision ?? 0) === expected
              ? write(bucket, key, value, undefined, now)
              : undefined,
          ),
        ),
      ),
    remove: (bucket, key, expected) =>
      atomically(bucket, key, (now) => {
        const entry = current(bucket, key, now)
        if (entry === undefined) return Effect.void
        if (expected !== undefined && entry.revision !== expected) return Effect.fail(new Conflict({ key }))
        entriesOf(bucket).delete(key)
        return Effect.void
      }),
    list: (bucket, page) =>
      Effect.andThen(
        checkBucket(bucket),
        Effect.map(Clock.currentTimeMillis, (now) =>
          [...entriesOf(bucket).values()]
            .filter((entry) => !isExpired(entry.expiresAt, now))
            .filter((entry) => page.prefix === undefined || entry.key.startsWith(page.prefix))
            .filter((entry) => page.after === undefined || compareKeys(entry.key, page.after) > 0)
            .sort((a, b) => compareKeys(a.key, b.key))
            .slice(0, page.limit)
            .map(toEntry),
        ),
      ),
    setup: (wanted) =>
      Effect.forEach(wanted, (bucket) =>
        Effect.as(checkBucket(bucket), `state bucket ${bucket.name}: stored in memory, lost when the process ends`),
      ),
  }
})

const toEntry = ({ key, value, revision }: StoredEntry): Entry => ({ key, value, revision })
