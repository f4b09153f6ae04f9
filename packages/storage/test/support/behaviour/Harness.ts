/** Helpers that the tests of an object storage share. */
import { randomUUID } from "node:crypto"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, type Vitest } from "@effect/vitest"
import { type ObjectRef, ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, Stream } from "effect"

export interface AdapterTraits {
  /** Whether an upload's bytes are stored outside this process's memory. */
  readonly bounded: boolean
  /** Where the server behind the adapter cannot keep a very long part of a key, though the adapter could. */
  readonly shortParts?: boolean
  /** Where the server behind the adapter does not sort as S3 does. */
  readonly unsorted?: boolean
  /** How many keys the server behind the adapter can list. */
  readonly listed?: number
  /** Where the server behind the adapter takes parts that it does not know. */
  readonly trusting?: boolean
}

// Unreachable buffers do not count as the adapter's memory.
setFlagsFromString("--expose-gc")
export const collectGarbage: () => void = runInNewContext("gc")

export const text = (value: string) => new TextEncoder().encode(value)
export const refOf = (key: string): ObjectRef => ({ bucket: "media", key })
export const fresh = (name: string) => Effect.sync(() => refOf(`${randomUUID()}/${name}`))

export const read = Effect.fnUntraced(function* (
  ref: ObjectRef,
  range?: { readonly start: number; readonly end?: number },
) {
  const { body } = yield* (yield* ObjectStorage).get(ref, range)
  return Buffer.concat(yield* Stream.runCollect(body)).toString("utf8")
})
export const putText = Effect.fnUntraced(function* (ref: ObjectRef, value: string) {
  return yield* (yield* ObjectStorage).put(ref, text(value), { contentType: "text/plain" })
})
export const keysOf = Effect.fnUntraced(function* (prefix: string) {
  return (yield* Stream.runCollect((yield* ObjectStorage).list("media", prefix))).map((info) => info.key)
})
export const request = (url: string, init?: RequestInit) => Effect.promise(() => fetch(url, init))
export const bodyOf = (response: Response) => Effect.promise(() => response.text())

/** Declares a test that runs with the adapter's layer. */
export type StorageTests = Pick<Vitest.MethodsNonLive<ObjectStorage>, "effect">

/** Compares listed keys; without their order where the server does not sort as S3 does. */
export const assertKeysOf =
  (traits: AdapterTraits) => (found: ReadonlyArray<string>, expected: ReadonlyArray<string>) =>
    traits.unsorted === true
      ? assert.deepStrictEqual([...found].sort(), [...expected].sort())
      : assert.deepStrictEqual(found, expected)
