/**
 * Typed documents over the key-value port: JSON validated by a Schema, one document per key. Change a document with
 * `modify`: read, decide, compare-and-set, and decide again if another process wrote in between.
 */
import { ConfigurationError, Conflict, TransientError } from "@armoricore/domain/Errors"
import { Effect, Option, Result, Schema } from "effect"
import {
  type Bucket,
  type Entry,
  KeyValue,
  type Page,
  readAll,
  writeAll,
  type StateError,
  type WriteOptions,
} from "./KeyValue.ts"

/** The bucket and Schema of a kind of document: a constant shared by the one writer and all readers. */
export interface Descriptor<A, I> {
  readonly bucket: Bucket
  readonly schema: Schema.Codec<A, I>
  /** The JSON equals the decoded value, as the types state: encoding is skipped. */
  readonly skipEncode?: true
  /**
   * Whether parsed JSON is a value, by a check that is cheaper than the schema: for documents that are read by the thousand. The
   * schema judges what it does not accept.
   */
  readonly isValue?: (json: unknown) => json is A
}

export interface Document<A> {
  readonly key: string
  readonly value: A
  readonly revision: number
}

/** The result of `modify` and the value to write; `none` leaves the document unchanged. */
export type Decision<A, B> = readonly [result: B, write: Option.Option<A>]

/**
 * A document that does not decode is a `ConfigurationError` that names bucket and key: another version wrote it, or it
 * was edited by hand. A retry would not help.
 */
export interface Collection<A> {
  readonly bucket: Bucket
  readonly get: (key: string) => Effect.Effect<Option.Option<Document<A>>, StateError>
  /** Writes unconditionally; returns the new revision. */
  readonly put: (key: string, value: A, options?: WriteOptions) => Effect.Effect<number, StateError>
  readonly create: (key: string, value: A, options?: WriteOptions) => Effect.Effect<number, Conflict | StateError>
  readonly update: (
    key: string,
    value: A,
    revision: number,
    options?: WriteOptions,
  ) => Effect.Effect<number, Conflict | StateError>
  /** The documents of several keys, in their order. */
  readonly getMany: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Document<A> | undefined>, StateError>
  /** Several compare-and-sets at once; revision 0 creates. See `KeyValue.writeAll`. */
  readonly writeMany: (
    documents: ReadonlyArray<Document<A>>,
  ) => Effect.Effect<ReadonlyArray<number | undefined>, StateError>
  /**
   * Decides on the current value and writes only if it has not changed; otherwise decides again, at most 64 times, then
   * fails with `Conflict`. The decision may run several times, so it must have no side effects.
   */
  readonly modify: <B, E = never, R = never>(
    key: string,
    decide: (current: Option.Option<Document<A>>) => Effect.Effect<Decision<A, B>, E, R>,
    options?: WriteOptions,
  ) => Effect.Effect<B, Conflict | StateError | E, R>
  /** `modify` for message handlers: a `Conflict` becomes a `TransientError` with code `write_conflict`, so it is retried. */
  readonly modifyOrRetry: <B, E = never, R = never>(
    key: string,
    decide: (current: Option.Option<Document<A>>) => Effect.Effect<Decision<A, B>, E, R>,
    options?: WriteOptions,
  ) => Effect.Effect<B, StateError | E, R>
  readonly remove: (key: string, revision?: number) => Effect.Effect<void, Conflict | StateError>
  readonly list: (page: Page) => Effect.Effect<ReadonlyArray<Document<A>>, StateError>
}

const maxAttempts = 64

const parseJson = Option.liftThrowable((text: string): unknown => JSON.parse(text))

export const make = <A, I>(descriptor: Descriptor<A, I>): Effect.Effect<Collection<A>, never, KeyValue> =>
  Effect.map(KeyValue, (state) => {
    const { bucket } = descriptor
    const json = Schema.fromJsonString(descriptor.schema)
    const decodeJson = Schema.decodeUnknownEffect(json)
    const encodeJson = Schema.encodeEffect(json)

    const { isValue } = descriptor
    const decode = (entry: Entry): Effect.Effect<Document<A>, ConfigurationError> => {
      const parsed = isValue === undefined ? undefined : Option.getOrUndefined(parseJson(entry.value))
      return isValue?.(parsed) === true
        ? Effect.succeed({ key: entry.key, value: parsed, revision: entry.revision })
        : decodeBySchema(entry)
    }
    const decodeBySchema = (entry: Entry): Effect.Effect<Document<A>, ConfigurationError> =>
      Effect.mapBoth(decodeJson(entry.value), {
        onFailure: (cause) => codecError(bucket, entry.key, "cannot be read", cause),
        onSuccess: (value) => ({ key: entry.key, value, revision: entry.revision }),
      })
    const encode = (key: string, value: A): Effect.Effect<string, ConfigurationError> =>
      descriptor.skipEncode === true
        ? Effect.sync(() => JSON.stringify(value))
        : Effect.mapError(encodeJson(value), (cause) => codecError(bucket, key, "cannot be written", cause))

    const get: Collection<A>["get"] = (key) =>
      Effect.flatMap(
        state.get(bucket, key),
        Option.match({ onNone: () => Effect.succeedNone, onSome: (entry) => Effect.asSome(decode(entry)) }),
      )
    const create: Collection<A>["create"] = (key, value, options) =>
      Effect.flatMap(encode(key, value), (text) => state.create(bucket, key, text, options))
    const update: Collection<A>["update"] = (key, value, revision, options) =>
      Effect.flatMap(encode(key, value), (text) => state.update(bucket, key, text, revision, options))

    const modify: Collection<A>["modify"] = (key, decide, options) =>
      Effect.gen(function* () {
        for (let attemptsLeft = maxAttempts; ; attemptsLeft--) {
          const current = yield* get(key)
          const [result, write] = yield* decide(current)
          if (Option.isNone(write)) return result
          const written = yield* Effect.result(
            Option.match(current, {
              onNone: () => create(key, write.value, options),
              onSome: ({ revision }) => update(key, write.value, revision, options),
            }),
          )
          if (Result.isSuccess(written)) return result
          if (written.failure._tag !== "Conflict" || attemptsLeft <= 1) return yield* written.failure
        }
      })

    return {
      bucket,
      get,
      put: (key, value, options) => Effect.flatMap(encode(key, value), (text) => state.put(bucket, key, text, options)),
      create,
      update,
      getMany: (keys) =>
        Effect.flatMap(
          readAll(state, bucket, keys),
          Effect.forEach((entry: Entry | undefined) =>
            entry === undefined ? Effect.succeed(undefined) : decode(entry),
          ),
        ),
      writeMany: (documents) =>
        descriptor.skipEncode === true
          ? Effect.suspend(() =>
              writeAll(
                state,
                bucket,
                documents.map(({ key, revision, value }) => ({ key, revision, value: JSON.stringify(value) })),
              ),
            )
          : Effect.flatMap(
              Effect.forEach(documents, ({ key, revision, value }) =>
                Effect.map(encode(key, value), (text) => ({ key, revision, value: text })),
              ),
              (writes) => writeAll(state, bucket, writes),
            ),
      modify,
      modifyOrRetry: (key, decide, options) => retryConflicts(modify(key, decide, options)),
      remove: (key, revision) => state.remove(bucket, key, revision),
      list: (page) =>
        Effect.flatMap(
          state.list(bucket, page),
          Effect.forEach((entry: Entry) => decode(entry)),
        ),
    }
  })

/** The error of a handler that lost a write to another process; the next attempt reads the new value. */
export const writeConflict = (cause: Conflict): TransientError =>
  new TransientError({ dependency: "state", code: "write_conflict", message: cause.message, cause })

/** Turns a `Conflict` into the transient `write_conflict`. */
export const retryConflicts = <A, E, R>(
  effect: Effect.Effect<A, E | Conflict, R>,
): Effect.Effect<A, Exclude<E, Conflict> | TransientError, R> =>
  Effect.catchIf(
    effect,
    (error): error is E & Conflict => error instanceof Conflict,
    (conflict) => Effect.fail(writeConflict(conflict)),
  ) as Effect.Effect<A, Exclude<E, Conflict> | TransientError, R>

/** Runs `use` for every document whose key has the prefix, page by page. `use` may remove it. */
export const forEach = Effect.fnUntraced(function* <A, E, R>(
  collection: Collection<A>,
  use: (document: Document<A>) => Effect.Effect<void, E, R>,
  prefix = "",
  pageSize = 200,
): Effect.fn.Return<void, StateError | E, R> {
  let after: string | undefined
  for (;;) {
    const page: ReadonlyArray<Document<A>> = yield* collection.list({
      limit: pageSize,
      ...(prefix === "" ? {} : { prefix }),
      ...(after === undefined ? {} : { after }),
    })
    yield* Effect.forEach(page, use, { discard: true })
    after = page.at(-1)?.key
    if (page.length < pageSize) return
  }
})

const codecError = (bucket: Bucket, key: string, what: string, cause: Schema.SchemaError) =>
  new ConfigurationError({
    setting: `state bucket ${bucket.name}`,
    message: `the document ${JSON.stringify(key)} of the state bucket ${bucket.name} ${what}: ${cause.message}`,
    cause,
  })
