/** The object storage with a span for every call that reads or writes. Stands in its place only where spans are collected. */
import { type ObjectRef, ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, Layer, Tracer } from "effect"

export const layer: Layer.Layer<ObjectStorage, never, ObjectStorage> = Layer.effect(
  ObjectStorage,
  Effect.gen(function* () {
    const storage = yield* ObjectStorage
    if ((yield* Tracer.Tracer) === Tracer.nativeTracer) return storage
    return ObjectStorage.of({
      ...storage,
      put: (ref, body, options) => withClientSpan("put", ref, storage.put(ref, body, options)),
      get: (ref, range) => withClientSpan("get", ref, storage.get(ref, range)),
      head: (ref) => withClientSpan("head", ref, storage.head(ref)),
      copy: (from, to) => withClientSpan("copy", to, storage.copy(from, to)),
      remove: (ref) => withClientSpan("remove", ref, storage.remove(ref)),
      createMultipartUpload: (ref, options) =>
        withClientSpan("begin parts", ref, storage.createMultipartUpload(ref, options)),
      completeMultipartUpload: (ref, id, parts) =>
        withClientSpan("complete parts", ref, storage.completeMultipartUpload(ref, id, parts)),
    })
  }),
)

/** Part of what asked for it; a call that belongs to nothing is not told. */
const withClientSpan = <A, E, R>(name: string, { bucket, key }: ObjectRef, call: Effect.Effect<A, E, R>) =>
  Effect.withFiber(({ cache }) =>
    cache.span?.sampled !== true
      ? call
      : Effect.useSpan(`storage ${name}`, { kind: "client", attributes: { bucket, key } }, () => call),
  )
