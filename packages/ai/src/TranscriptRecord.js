/**
 * The stored state of a media's transcripts, updated by compare-and-set. `status` and `percent` belong to the newest
 * request. Each language has the transcript of its newest request, even if an older request finishes later.
 */
import { resultEventId } from "@armoricore/domain/DeterministicId";
import { TransientError } from "@armoricore/domain/Errors";
import { precedesDeletion } from "@armoricore/domain/MediaState";
import * as Timestamp from "@armoricore/domain/Timestamp";
import * as Collection from "@armoricore/state/Collection";
import * as MediaOwner from "@armoricore/state/MediaOwner";
import { mediaDeletions } from "@armoricore/state/MediaStates";
import { transcriptStates } from "@armoricore/state/TranscriptStates";
import { Clock, Effect, Option } from "effect";
export const make = Effect.gen(function* () {
    const states = yield* Collection.make(transcriptStates);
    const deletions = yield* Collection.make(mediaDeletions);
    const owner = yield* MediaOwner.make;
    const isDeleted = ({ payload, timestamp }) => Effect.map(deletions.get(payload.media_id), (document) => precedesDeletion(timestamp, Option.getOrUndefined(document)?.value));
    const update = (mediaId, decide) => states.modifyOrRetry(mediaId, (current) => Effect.map(Clock.currentTimeMillis, (millis) => {
        const next = decide(Option.getOrUndefined(current)?.value, new Date(millis).toISOString());
        return [undefined, Option.fromNullishOr(next)];
    }));
    return {
        find: (mediaId) => Effect.map(states.get(mediaId), (entry) => Option.getOrUndefined(entry)?.value),
        isDeleted,
        wasDeleted: (mediaId) => Effect.map(deletions.get(mediaId), Option.isSome),
        begin: Effect.fnUntraced(function* (event) {
            yield* owner.requireOwner(event.payload);
            if (yield* isDeleted(event))
                return false;
            const trace = Option.getOrUndefined(yield* Effect.option(Effect.currentParentSpan))?.traceId;
            yield* update(event.payload.media_id, (current, now) => {
                if (current !== undefined && isBefore(event.timestamp, current.requested_at))
                    return undefined;
                return {
                    media_id: event.payload.media_id,
                    user_id: event.payload.user_id,
                    status: "processing",
                    percent: 0,
                    source_event_id: event.event_id,
                    requested_at: event.timestamp,
                    request: event.payload,
                    ...(trace === undefined ? {} : { trace_id: trace }),
                    ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
                    languages: current?.languages ?? {},
                    updated_at: now,
                };
            });
            return true;
        }),
        progress: (event, percent) => update(event.payload.media_id, (current, now) => current === undefined || current.source_event_id !== event.event_id || current.status !== "processing"
            ? undefined
            : { ...current, percent, updated_at: now }),
        complete: (event, complete) => update(complete.media_id, (current, now) => {
            if (current === undefined)
                return undefined;
            const { completed_at, engine, language, quality, transcript_file_path, transcription_id, word_count } = complete;
            const existing = current.languages[language];
            const isNewest = existing === undefined || !isBefore(event.timestamp, existing.requested_at);
            const entry = {
                transcription_id,
                transcript_file_path,
                caption_urls: complete.caption_urls,
                quality,
                engine,
                word_count,
                requested_at: event.timestamp,
                completed_at,
            };
            const { failed: _, ...rest } = current;
            return {
                ...(current.source_event_id === event.event_id
                    ? { ...rest, status: "complete", percent: 100 }
                    : current),
                languages: isNewest ? { ...current.languages, [language]: entry } : current.languages,
                updated_at: now,
            };
        }),
        fail: (failed) => update(failed.payload.media_id, (current, now) => 
        // The id of a result derives from its cause, so it identifies the failed request.
        current === undefined || resultEventId(current.source_event_id, "transcription.failed") !== failed.event_id
            ? undefined
            : { ...current, status: "failed", failed: failed.payload.error, updated_at: now }),
    };
});
const isBefore = (a, b) => Timestamp.toMillis(a) < Timestamp.toMillis(b);
