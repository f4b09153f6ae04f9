/** The state in the embedded engine: durable in the data folder, shared by the processes that share the folder. */
import { Conflict } from "@armoricore/domain/Errors"
import { EmbeddedEngine, type EngineError } from "@armoricore/embedded/EmbeddedEngine"
import { Clock, Effect, Layer, Option } from "effect"
import { expiryOf } from "../Expiry.ts"
import { check, checkBucket } from "../Key.ts"
import { type Bucket, KeyValue, type WriteOptions } from "../KeyValue.ts"
import type { operations } from "./StateOperations.ts"

const repeatable = { isRepeatable: true } as const

export const layer: Layer.Layer<KeyValue, EngineError, EmbeddedEngine> = Layer.effect(
  KeyValue,
  Effect.gen(function* () {
    const engine = yield* EmbeddedEngine
    const state = yield* engine.module<typeof operations>({
      name: "state",
      url: new URL(`./StateOperations${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url),
    })

    const write = (
      bucket: Bucket,
      key: string,
      value: string,
      expected: number | undefined,
      options: WriteOptions | undefined,
    ) =>
      Effect.gen(function* () {
        yield* check(bucket, key)
        const now = yield* Clock.currentTimeMillis
        const expiresAt = expiryOf(bucket, options, now)
        return yield* state.call("write", { bucket: bucket.name, key, value, expected, expiresAt, now })
      })

    const compareAndSet = (...parameters: Parameters<typeof write>) =>
      Effect.flatMap(write(...parameters), (revision) =>
        revision === undefined ? Effect.fail(new Conflict({ key: parameters[1] })) : Effect.succeed(revision),
      )

    return {
      ...(engine.ownerId === undefined ? {} : { ownerId: engine.ownerId }),
      get: (bucket, key) =>
        Effect.gen(function* () {
          yield* check(bucket, key)
          const now = yield* Clock.currentTimeMillis
          return Option.fromUndefinedOr(yield* state.call("get", { bucket: bucket.name, key, now }, repeatable))
        }),
      put: (bucket, key, value, options) =>
        Effect.map(write(bucket, key, value, undefined, options), (revision) => revision ?? 0),
      create: (bucket, key, value, options) => compareAndSet(bucket, key, value, 0, options),
      update: (bucket, key, value, revision, options) =>
        // 0 means "no entry" in the engine and is never a revision.
        revision > 0 ? compareAndSet(bucket, key, value, revision, options) : Effect.fail(new Conflict({ key })),
      getMany: Effect.fnUntraced(function* (bucket, keys) {
        yield* Effect.forEach(keys, (key) => check(bucket, key), { discard: true })
        const now = yield* Clock.currentTimeMillis
        return yield* state.call("getMany", { bucket: bucket.name, keys, now }, repeatable)
      }),
      writeMany: Effect.fnUntraced(function* (bucket, writes) {
        yield* Effect.forEach(writes, ({ key }) => check(bucket, key), { discard: true })
        const now = yield* Clock.currentTimeMillis
        const expiresAt = expiryOf(bucket, undefined, now)
        return yield* state.call("writeMany", { bucket: bucket.name, writes, expiresAt, now })
      }),
      remove: (bucket, key, expected) =>
        Effect.gen(function* () {
          yield* check(bucket, key)
          const now = yield* Clock.currentTimeMillis
          const gone = yield* state.call("remove", { bucket: bucket.name, key, expected, now })
          if (!gone) return yield* new Conflict({ key })
        }),
      list: (bucket, { prefix = "", after = "", limit }) =>
        Effect.gen(function* () {
          yield* checkBucket(bucket)
          const now = yield* Clock.currentTimeMillis
          return yield* state.call("list", { bucket: bucket.name, prefix, after, limit, now }, repeatable)
        }),
      setup: (buckets) =>
        Effect.forEach(buckets, (bucket) =>
          Effect.as(checkBucket(bucket), `state bucket ${bucket.name}: embedded, in ${engine.folder}`),
        ),
    }
  }),
)
