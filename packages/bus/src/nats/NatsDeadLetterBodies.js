/**
 * Bodies of dead letters that exceed a NATS message: stored in an object store under the id of the dead letter, which
 * names the object in a header. The object is stored first, so that no dead letter refers to a missing one; storing
 * again after a crash overwrites the same object.
 */
import { Effect } from "effect";
import { StorageType } from "nats";
import { natsRequest, errorFrom, isConcurrentCreate } from "@armoricore/nats/NatsErrors";
export const bodyObjectHeader = "Armoricore-Body-Object";
const bucket = "ARMORICORE_DEAD";
const resource = `object store ${bucket}`;
const stream = `OBJ_${bucket}`;
const objectStore = (js, replicas = 1) => Effect.tryPromise({
    try: () => js.views.os(bucket, { storage: StorageType.File, replicas }),
    catch: (cause) => cause,
}).pipe(
// Another process may be creating the bucket at the same moment; a second read finds it.
Effect.retry({ times: 1, while: isConcurrentCreate }), Effect.mapError(errorFrom(resource)));
/** Created by `setup`, so that workers do not need the permission. It has as many replicas as the dead letters. */
export const ensure = Effect.fnUntraced(function* (js, manager, replicas = 1) {
    yield* objectStore(js, replicas);
    const { config } = yield* natsRequest(resource, () => manager.streams.info(stream));
    if (config.num_replicas === replicas)
        return;
    yield* natsRequest(resource, () => manager.streams.update(stream, { ...config, num_replicas: replicas }));
});
export const put = Effect.fnUntraced(function* (js, id, body) {
    const objects = yield* objectStore(js);
    yield* natsRequest(resource, () => objects.putBlob({ name: id }, body));
});
/** Returns the dead letter with its body, loaded from the object store if needed. */
export const loadBody = Effect.fnUntraced(function* (js, deadLetter) {
    const { [bodyObjectHeader]: name, ...headers } = deadLetter.headers;
    if (name === undefined)
        return deadLetter;
    const objects = yield* objectStore(js);
    const body = yield* natsRequest(resource, () => objects.getBlob(name));
    return { ...deadLetter, headers, body: body ?? new Uint8Array() };
});
export const remove = Effect.fnUntraced(function* (js, deadLetter) {
    const name = deadLetter.headers[bodyObjectHeader];
    if (name === undefined)
        return;
    const objects = yield* objectStore(js);
    yield* natsRequest(resource, () => objects.delete(name));
});
