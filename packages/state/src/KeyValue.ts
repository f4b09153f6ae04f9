/**
 * The state port: small documents with compare-and-set and expiry. Claims, media states, delivery states and
 * revocations live here. Values are text (JSON by convention, see `Collection`).
 *
 * Every adapter passes `test/behaviour.ts`.
 */
import type { ConfigurationError, Conflict, TransientError } from "@armoricore/domain/Errors"
import { Context } from "effect"
import type { Duration, Effect, Option } from "effect"

/**
 * A class of entries. `maxAge` bounds how long any entry outlives its last write, whatever its own expiry says;
 * `never` for what must outlive everything (media states, suppressions, fences).
 */
export interface Bucket {
  /** `[a-z0-9_]+` */
  readonly name: string
  readonly maxAge: Duration.Duration | "never"
}

export interface Entry {
  readonly key: string
  readonly value: string
  /** Grows with every write of this key; a key that was removed and created again never repeats one. */
  readonly revision: number
}

export interface WriteOptions {
  /** The entry is gone after this; absent: only the bucket's `maxAge` ends it. */
  readonly expiresIn?: Duration.Duration
}

export interface Page {
  readonly prefix?: string
  /** Only keys behind this one. */
  readonly after?: string
  readonly limit: number
}

export type StateError = TransientError | ConfigurationError

export class KeyValue extends Context.Service<
  KeyValue,
  {
    readonly get: (bucket: Bucket, key: string) => Effect.Effect<Option.Option<Entry>, StateError>
    /** Writes whatever was there; returns the new revision. */
    readonly put: (
      bucket: Bucket,
      key: string,
      value: string,
      options?: WriteOptions,
    ) => Effect.Effect<number, StateError>
    /** Writes only where nothing (or only an expired entry) is. */
    readonly create: (
      bucket: Bucket,
      key: string,
      value: string,
      options?: WriteOptions,
    ) => Effect.Effect<number, Conflict | StateError>
    /** Writes only over exactly this revision. */
    readonly update: (
      bucket: Bucket,
      key: string,
      value: string,
      revision: number,
      options?: WriteOptions,
    ) => Effect.Effect<number, Conflict | StateError>
    /** Removing what is not there succeeds; with a revision only exactly that one is removed. */
    readonly remove: (bucket: Bucket, key: string, revision?: number) => Effect.Effect<void, Conflict | StateError>
    /** Ascending by key. May cost as much as the bucket is large: for operators, not for hot paths. Keys are any text up to 512 bytes. */
    readonly list: (bucket: Bucket, page: Page) => Effect.Effect<ReadonlyArray<Entry>, StateError>
    /**
     * Set where one process at a time owns the store, and this is the one: names the ownership. What an entry says of a
     * process under another name is of one that has ended.
     */
    readonly ownerId?: string
    /** Creates or checks the buckets; returns one line per resource for `armoricore setup`. */
    readonly setup: (buckets: ReadonlyArray<Bucket>) => Effect.Effect<ReadonlyArray<string>, StateError>
  }
>()("@armoricore/state/KeyValue") {}
