/** Adds a client span to each storage call. Without a trace collector the storage stays unchanged. */
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Effect, Layer, Tracer } from "effect";
export const layer = Layer.effect(ObjectStorage, Effect.gen(function* () {
    const storage = yield* ObjectStorage;
    if ((yield* Tracer.Tracer) === Tracer.nativeTracer)
        return storage;
    return ObjectStorage.of({
        ...storage,
        put: (ref, body, options) => withClientSpan("put", ref, storage.put(ref, body, options)),
        get: (ref, range) => withClientSpan("get", ref, storage.get(ref, range)),
        head: (ref) => withClientSpan("head", ref, storage.head(ref)),
        copy: (from, to) => withClientSpan("copy", to, storage.copy(from, to)),
        remove: (ref) => withClientSpan("remove", ref, storage.remove(ref)),
        createMultipartUpload: (ref, options) => withClientSpan("create multipart upload", ref, storage.createMultipartUpload(ref, options)),
        completeMultipartUpload: (ref, id, parts) => withClientSpan("complete multipart upload", ref, storage.completeMultipartUpload(ref, id, parts)),
    });
}));
/** Traces the call if it runs within a sampled span; other calls get no span. */
const withClientSpan = (name, { bucket, key }, call) => Effect.withFiber(({ cache }) => cache.span?.sampled !== true
    ? call
    : Effect.useSpan(`storage ${name}`, { kind: "client", attributes: { "armoricore.bucket": bucket, "armoricore.key": key } }, () => call));
