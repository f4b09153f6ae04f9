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
      put: (ref, body, options) => within("put", ref, storage.put(ref, body, options)),
      get: (ref, range) => within("get", ref, storage.get(ref, range)),
      head: (ref) => within("head", ref, storage.head(ref)),
      copy: (from, to) => within("copy", to, storage.copy(from, to)),
      remove: (ref) => within("remove", ref, storage.remove(ref)),
      beginParts: (ref, options) => within("begin parts", ref, storage.beginParts(ref, options)),
      completeParts: (ref, id, parts) => within("complete parts", ref, storage.completeParts(ref, id, parts)),
    })
  }),
)

/** Part of what asked for it; a call that belongs to nothing is not told. */
const within = <A, E, R>(name: string, { bucket, key }: ObjectRef, call: Effect.Effect<A, E, R>) =>
  Effect.withFiber(({ cache }) =>
    cache.span?.sampled !== true
      ? call
      : Effect.useSpan(`storage ${name}`, { kind: "client", attributes: { bucket, key } }, () => call),
  )
