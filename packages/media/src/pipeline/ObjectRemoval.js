/**
 * Removes objects, and then their copies in the caches of a CDN. The keys are stored before the objects go, so that a removal
 * which was interrupted still purges them: `work/purge/<media_id>/<digest>.json`.
 */
import { sha256 } from "@armoricore/domain/DeterministicId";
import { TransientError } from "@armoricore/domain/Errors";
import { CdnPurge } from "@armoricore/storage/CdnPurge";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Effect, Schema, Stream } from "effect";
const Keys = Schema.fromJsonString(Schema.Array(Schema.String));
/** Folders with objects that players read; a CDN has no other objects. */
const isPublic = (prefix) => /^(media|transcripts)\//.test(prefix);
/** Keys per stored list. */
const batchSize = 500;
export const make = Effect.fnUntraced(function* (bucket) {
    const storage = yield* ObjectStorage;
    const cdn = yield* CdnPurge;
    const removeAll = (keys) => Effect.forEach(keys, (key) => storage.remove({ bucket, key }), { discard: true });
    const purgeList = Effect.fnUntraced(function* (list, purge) {
        const object = yield* Effect.option(storage.get({ bucket, key: list }));
        if (object._tag === "None")
            return;
        const text = Buffer.concat([...(yield* Stream.runCollect(object.value.body))]).toString();
        const keys = yield* Effect.mapError(Schema.decodeEffect(Keys)(text), () => unreadable(list));
        yield* removeAll(keys);
        yield* purge(keys);
        yield* storage.remove({ bucket, key: list });
    });
    /** Removes the objects below these prefixes, except those that stay. Repeating it after an interruption completes it. */
    const remove = Effect.fn("ObjectRemoval.remove")(function* (mediaId, prefixes, isKept = () => false) {
        const lists = `work/purge/${mediaId}/`;
        for (const prefix of prefixes) {
            yield* storage.list(bucket, prefix).pipe(Stream.map(({ key }) => key), Stream.filter((key) => !isKept(key)), Stream.grouped(batchSize), Stream.runForEach((keys) => Effect.gen(function* () {
                if (cdn === undefined || !isPublic(prefix))
                    return yield* removeAll(keys);
                const list = `${lists}${sha256(JSON.stringify(keys)).slice(0, 32)}.json`;
                const body = new TextEncoder().encode(JSON.stringify(keys));
                yield* storage.put({ bucket, key: list }, body, { contentType: "application/json" });
                yield* purgeList(list, cdn.purge);
            })));
        }
        if (cdn === undefined)
            return;
        // Those of an earlier attempt, whose objects may be gone already.
        yield* Stream.runForEach(storage.list(bucket, lists), ({ key }) => purgeList(key, cdn.purge));
    });
    return { remove };
});
const unreadable = (list) => new TransientError({ dependency: "storage", code: "unreadable", message: `the list of keys ${list} cannot be read` });
