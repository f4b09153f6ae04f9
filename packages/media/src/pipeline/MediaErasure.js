/** What `media` removes of a user who is erased: every media and transcript, uploads that were never published, and usage. */
import { deriveId } from "@armoricore/domain/DeterministicId";
import { encodeId } from "@armoricore/domain/EncodedId";
import * as Collection from "@armoricore/state/Collection";
import { mediaDeletions, mediaStates } from "@armoricore/state/MediaStates";
import { transcriptStates } from "@armoricore/state/TranscriptStates";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Effect, Option, Stream } from "effect";
import { deleteMedia } from "./MediaJobs.ts";
import { quotaUsages } from "./Quota.ts";
export const makeStores = Effect.fnUntraced(function* (bucket, pipeline, jobs) {
    const storage = yield* ObjectStorage;
    const states = yield* Collection.make(mediaStates);
    const deletions = yield* Collection.make(mediaDeletions);
    const transcripts = yield* Collection.make(transcriptStates);
    const usages = yield* Collection.make(quotaUsages);
    const isDeleted = (mediaId) => Effect.map(deletions.get(mediaId), (found) => Option.getOrUndefined(found)?.value.deleted_at !== undefined);
    /** A tombstone whose deletion is complete has nothing to remove. */
    const mediaOf = Effect.fnUntraced(function* (userId) {
        const ids = new Set();
        yield* Collection.forEach(states, ({ key, value }) => Effect.gen(function* () {
            if (value.user_id !== userId)
                return;
            if (value.deleted_at === undefined || !(yield* isDeleted(key)))
                ids.add(key);
        }));
        yield* Collection.forEach(transcripts, ({ key, value }) => Effect.sync(() => void (value.user_id === userId && ids.add(key))));
        return ids;
    });
    const media = {
        name: "media",
        erase: Effect.fn("MediaErasure.media")(function* ({ publish, requestId, requestedAt, userId }) {
            const ids = yield* mediaOf(userId);
            for (const mediaId of ids) {
                const request = { mediaId, requestId: deriveId("erasure", requestId, mediaId), requestedAt };
                const results = yield* deleteMedia(pipeline, jobs, request, mediaId);
                yield* Effect.forEach(results, publish, { discard: true });
            }
            return ids.size;
        }),
    };
    const uploads = {
        name: "uploads",
        erase: Effect.fn("MediaErasure.uploads")(function* ({ userId }) {
            const keys = yield* Stream.runCollect(storage.list(bucket, `uploads/${encodeId(userId)}/`));
            yield* Effect.forEach(keys, ({ key }) => storage.remove({ bucket, key }), { discard: true });
            return keys.length;
        }),
    };
    const usage = {
        name: "quota",
        erase: Effect.fn("MediaErasure.quota")(function* ({ userId }) {
            const key = encodeId(userId);
            const found = yield* usages.get(key);
            if (Option.isSome(found))
                yield* Collection.retryConflicts(usages.remove(key));
            return Option.isSome(found) ? 1 : 0;
        }),
    };
    return [media, uploads, usage];
});
