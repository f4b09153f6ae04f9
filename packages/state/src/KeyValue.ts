/**
 * The state port: small documents with compare-and-set and expiry, such as leases, media states, delivery states and
 * revocations. Values are text (JSON by convention, see `Collection`).
 *
 * Every adapter passes `test/support/BehaviourSuite.ts`.
 */
import type { ConfigurationError, Conflict, TransientError } from "@armoricore/domain/Errors"
import { Context, Effect, Option } from "effect"
import type { Duration } from "effect"

/**
 * A class of entries. `maxAge` limits how long any entry outlives its last write, even if its own expiry is later; `never` for
 * entries without expiry (media states, suppressions, fencing tokens).
 */
export interface Bucket {
  /** `[a-z0-9_]+` */
  readonly name: string
  readonly maxAge: Duration.Duration | "never"
}

export interface Entry {
  readonly key: string
  readonly value: string
  /** Increases with every write of this key; a key that is removed and created again never repeats one. */
  readonly revision: number
}

export interface WriteOptions {
  /** The entry expires after this; absent: only the bucket's `maxAge` applies. */
  readonly expiresIn?: Duration.Duration
}

export interface Page {
  readonly prefix?: string
  /** Only keys after this one. */
  readonly after?: string
  readonly limit: number
}

/** A compare-and-set among several. */
export interface BatchWrite {
  readonly key: string
  readonly value: string
  /** The revision that must be current; 0 creates the entry. */
  readonly revision: number
}

export type StateError = TransientError | ConfigurationError

export class KeyValue extends Context.Service<
  KeyValue,
  {
    readonly get: (bucket: Bucket, key: string) => Effect.Effect<Option.Option<Entry>, StateError>
    /** Writes unconditionally; returns the new revision. */
    readonly put: (
      bucket: Bucket,
      key: string,
      value: string,
      options?: WriteOptions,
    ) => Effect.Effect<number, StateError>
    /** Creates the entry; fails with `Conflict` if one exists that has not expired. */
    readonly create: (
      bucket: Bucket,
      key: string,
      value: string,
      options?: WriteOptions,
    ) => Effect.Effect<number, Conflict | StateError>
    /** Replaces exactly this revision. */
    readonly update: (
      bucket: Bucket,
      key: string,
      value: string,
      revision: number,
      options?: WriteOptions,
    ) => Effect.Effect<number, Conflict | StateError>
    /** Reads several entries in one step, where the adapter can; see {@link readAll}. */
    readonly getMany?: (
      bucket: Bucket,
      keys: ReadonlyArray<string>,
    ) => Effect.Effect<ReadonlyArray<Entry | undefined>, StateError>
    /** Writes several entries in one step, where the adapter can; see {@link writeAll}. */
    readonly writeMany?: (
      bucket: Bucket,
      writes: ReadonlyArray<BatchWrite>,
    ) => Effect.Effect<ReadonlyArray<number | undefined>, StateError>
    /** Removing a missing entry succeeds. With a revision, only exactly that one is removed. */
    readonly remove: (bucket: Bucket, key: string, revision?: number) => Effect.Effect<void, Conflict | StateError>
    /**
     * Ascending by key. The cost may grow with the size of the bucket: for operators, not for hot paths. Keys are any
     * text up to 512 bytes.
     */
    readonly list: (bucket: Bucket, page: Page) => Effect.Effect<ReadonlyArray<Entry>, StateError>
    /**
     * Set if one process at a time owns the store: identifies this ownership. An entry marked with another id belongs
     * to a process that has ended.
     */
    readonly ownerId?: string
    /** Creates or checks the buckets; returns one line per bucket for `armoricore setup`. */
    readonly setup: (buckets: ReadonlyArray<Bucket>) => Effect.Effect<ReadonlyArray<string>, StateError>
  }
>()("@armoricore/state/KeyValue") {}

/** Reads several entries, in one step where the adapter can. The entries are in the order of the keys. */
export const readAll = (
  state: KeyValue["Service"],
  bucket: Bucket,
  keys: ReadonlyArray<string>,
): Effect.Effect<ReadonlyArray<Entry | undefined>, StateError> =>
  state.getMany === undefined
    ? Effect.forEach(keys, (key) => Effect.map(state.get(bucket, key), Option.getOrUndefined), together)
    : state.getMany(bucket, keys)

/**
 * Writes several entries, in one step where the adapter can. Returns the new revisions in the order of the writes, `undefined`
 * for a conflict. They are not one transaction: after a failure, some may be written.
 */
export const writeAll = (
  state: KeyValue["Service"],
  bucket: Bucket,
  writes: ReadonlyArray<BatchWrite>,
): Effect.Effect<ReadonlyArray<number | undefined>, StateError> =>
  state.writeMany === undefined
    ? Effect.forEach(
        writes,
        ({ key, revision, value }) =>
          Effect.catchTag(
            revision === 0 ? state.create(bucket, key, value) : state.update(bucket, key, value, revision),
            "Conflict",
            () => Effect.succeed(undefined),
          ),
        together,
      )
    : state.writeMany(bucket, writes)

/** Without `getMany` and `writeMany`: for a wrapper of single reads and writes. */
export const withoutBatches = ({ getMany: _getMany, writeMany: _writeMany, ...single }: KeyValue["Service"]) => single

const together = { concurrency: 64 } as const
