/**
 * Deletes a media with everything that was made from it: streams, images, captions, the upload, transcripts, cached
 * recognitions, and the state that describes them. A tombstone with ids and times remains.
 *
 * Every step may be repeated, so a deletion that was interrupted continues with the next delivery of its request. The
 * transcript belongs to `ai`, which may not run; it is deleted here, so that one event reports the whole deletion.
 */
import { captionsPrefix } from "@armoricore/domain/CaptionTrack";
import * as ObjectRef from "@armoricore/domain/ObjectRef";
import * as Collection from "@armoricore/state/Collection";
import { mediaDeletions } from "@armoricore/state/MediaStates";
import { transcriptStates } from "@armoricore/state/TranscriptStates";
import { Clock, Effect, Option } from "effect";
import { mediaKeys } from "../protection/ContentKeys.ts";
import * as MediaRecord from "../record/MediaRecord.ts";
import * as ObjectRemoval from "./ObjectRemoval.ts";
export const make = Effect.fnUntraced(function* ({ encodes, options: { bucket }, record }) {
    const objects = yield* ObjectRemoval.make(bucket);
    const deletions = yield* Collection.make(mediaDeletions);
    const transcripts = yield* Collection.make(transcriptStates);
    const keys = yield* Collection.make(mediaKeys);
    const update = (mediaId, change) => deletions.modifyOrRetry(mediaId, (current) => {
        const next = change(Option.getOrUndefined(current)?.value);
        return Effect.succeed([next, Option.some(next)]);
    });
    const find = (mediaId) => Effect.map(deletions.get(mediaId), (document) => Option.getOrUndefined(document)?.value);
    /** A source file in another place belongs to its publisher. */
    const uploadPrefixes = (mediaId, userId, filePath) => {
        const source = filePath === undefined ? undefined : ObjectRef.fromUrl(filePath);
        const folder = source?.bucket === bucket ? /^uploads\/[^/]+\/([^/]+)\//.exec(source.key) : null;
        return [
            ...(userId === undefined ? [] : [ObjectRef.uploadPrefix(userId, mediaId)]),
            ...(folder?.[1] === mediaId ? [folder[0]] : []),
        ];
    };
    const finish = Effect.fnUntraced(function* (mediaId, userId) {
        const deletedAt = new Date(yield* Clock.currentTimeMillis).toISOString();
        const done = yield* update(mediaId, (current) => ({
            media_id: mediaId,
            request_id: "",
            requested_at: deletedAt,
            ...current,
            ...(userId === undefined ? {} : { user_id: userId }),
            deleted_at: current?.deleted_at ?? deletedAt,
        }));
        return done.user_id === undefined
            ? undefined
            : { media_id: mediaId, user_id: done.user_id, deleted_at: done.deleted_at ?? deletedAt };
    });
    /** The objects of a later upload of the same media, which stay. */
    const laterLife = (state, generation) => {
        if (state === undefined || state.deleted_at !== undefined || MediaRecord.newestGeneration(state) <= generation)
            return undefined;
        const prefixes = state.attempts.filter((attempt) => attempt.generation > generation).map(({ prefix }) => prefix);
        const source = state.upload === undefined ? undefined : ObjectRef.fromUrl(state.upload.file_path).key;
        return (key) => key === source || prefixes.some((prefix) => key.startsWith(prefix));
    };
    const remove = Effect.fn("Deletion.remove")(function* ({ mediaId, requestedAt, requestId }) {
        const started = yield* update(mediaId, (current) => {
            if (current?.request_id === requestId)
                return current;
            const { deleted_at: _, generation: __, ...known } = current ?? {};
            return { ...known, media_id: mediaId, request_id: requestId, requested_at: requestedAt };
        });
        if (started.deleted_at !== undefined)
            return yield* finish(mediaId, undefined);
        const transcript = Option.getOrUndefined(yield* transcripts.get(mediaId))?.value;
        const known = yield* record.find(mediaId);
        const userId = known?.user_id ?? transcript?.user_id ?? started.user_id;
        const generation = started.generation ?? (known === undefined ? 0 : MediaRecord.newestGeneration(known));
        // Before anything is removed: the next attempt finds the owner and the generation here.
        yield* update(mediaId, (current) => ({
            ...(current ?? started),
            generation,
            ...(userId === undefined ? {} : { user_id: userId }),
        }));
        const uploads = uploadPrefixes(mediaId, userId, known?.upload?.file_path);
        const isKept = laterLife(known, generation);
        // The objects go first: the document names the upload, which a repetition needs to find.
        yield* record.markDeleted(mediaId, generation);
        yield* objects.remove(mediaId, [`media/${mediaId}/`, ...uploads, ...(isKept === undefined ? [captionsPrefix(mediaId)] : [])], isKept);
        if (isKept === undefined) {
            yield* objects.remove(mediaId, [`transcripts/${mediaId}/`, `work/transcription/${mediaId}/`]);
            yield* Collection.retryConflicts(transcripts.remove(mediaId));
            yield* Collection.retryConflicts(keys.remove(mediaId));
        }
        for (const attempt of known?.attempts ?? []) {
            if (attempt.generation > generation)
                continue;
            const version = MediaRecord.versionFromPrefix(attempt.prefix);
            const encode = yield* encodes.find(version);
            if (encode !== undefined)
                yield* encodes.remove(version, encode);
        }
        yield* record.clearDeleted(mediaId);
        return yield* finish(mediaId, userId);
    });
    const removeLateUpload = Effect.fn("Deletion.removeLateUpload")(function* (upload) {
        yield* objects.remove(upload.media_id, uploadPrefixes(upload.media_id, upload.user_id, upload.file_path));
        const deletion = yield* find(upload.media_id);
        // The owner is known only now, so nothing was reported yet.
        return deletion?.user_id === undefined ? yield* finish(upload.media_id, upload.user_id) : undefined;
    });
    return { find, remove, removeLateUpload };
});
