import { TransientError } from "@armoricore/domain/Errors";
import * as Collection from "@armoricore/state/Collection";
import { mediaStates } from "@armoricore/state/MediaStates";
import { Clock, Effect, Option } from "effect";
/** Whether something newer than this attempt is published, or the media was deleted. */
export const isSuperseded = (state, attempt) => state === undefined ||
    state.deleted_at !== undefined ||
    (state.version !== undefined && isOlder(attempt, state.version));
export const make = Effect.gen(function* () {
    const states = yield* Collection.make(mediaStates);
    const modify = (mediaId, decide) => states.modifyOrRetry(mediaId, (current) => Effect.map(Clock.currentTimeMillis, (millis) => {
        const [result, next] = decide(Option.getOrUndefined(current)?.value, new Date(millis).toISOString());
        return [result, Option.fromNullishOr(next)];
    }));
    const begin = Effect.fnUntraced(function* (event, fencingToken, prefix, isRepublish) {
        const trace = Option.getOrUndefined(yield* Effect.option(Effect.currentParentSpan))?.traceId;
        return yield* modify(event.payload.media_id, (current, now) => {
            if (current !== undefined && current.user_id !== event.payload.user_id)
                return [{ _tag: "NotOwner" }, undefined];
            const newest = current === undefined ? 0 : (current.generations[current.source_event_id] ?? 0);
            const generation = current?.generations[event.event_id] ?? newest + 1;
            const attempt = { prefix, generation, token: fencingToken };
            const version = current?.version;
            // Uploads that were known at the deletion stay deleted; a new upload starts a new life of the media.
            if (current?.deleted_at !== undefined && generation <= newest)
                return [{ _tag: "Superseded" }, undefined];
            if (version !== undefined && version.generation > generation)
                return [{ _tag: "Superseded" }, undefined];
            if (!isRepublish && version?.generation === generation && current?.ready !== undefined) {
                const isPlayablePublished = current.playable_prefix === version.prefix;
                return [{ _tag: "AlreadyReady", attempt: version, ready: current.ready, isPlayablePublished }, undefined];
            }
            const attempts = [...(current?.attempts ?? []).filter((earlier) => earlier.prefix !== prefix), attempt];
            if (current !== undefined && generation < newest)
                return [
                    { _tag: "Started", attempt },
                    { ...current, attempts },
                ];
            const { charged: wasCharged, deleted_at: _, failed: __, request_id: ___, trace_id: ____, ...unchanged } = withoutPlayable(current) ?? { renditions: [], timings: {} };
            // A retry request of this service refers to the same upload.
            const isCharged = wasCharged === true && (event.source === "media" || current?.source_event_id === event.event_id);
            const next = {
                ...unchanged,
                media_id: event.payload.media_id,
                user_id: event.payload.user_id,
                status: "processing",
                stage: "queued",
                percent: 0,
                source_event_id: event.event_id,
                upload: event.payload,
                ...(trace === undefined ? {} : { trace_id: trace }),
                ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
                generations: newestGenerations({ ...current?.generations, [event.event_id]: generation }),
                attempts,
                ...(isCharged ? { charged: true } : {}),
                updated_at: now,
            };
            return [{ _tag: "Started", attempt }, next];
        });
    });
    const progress = (event, stage, percent) => modify(event.payload.media_id, (current, now) => [
        undefined,
        current === undefined ||
            current.source_event_id !== event.event_id ||
            current.status !== "processing" ||
            // Several workers may encode chunks of it: progress never decreases.
            (current.stage === stage && current.percent >= percent)
            ? undefined
            : { ...current, stage, percent, updated_at: now },
    ]);
    const markPlayable = (event, attempt, payload) => modify(event.payload.media_id, (current, now) => {
        if (current === undefined || current.source_event_id !== event.event_id || current.status !== "processing")
            return [false, undefined];
        if (isSuperseded(current, attempt) || current.attempts.some((other) => isOlder(attempt, other)))
            return [false, undefined];
        return [true, { ...current, playable: payload, playable_prefix: attempt.prefix, updated_at: now }];
    });
    const markPlayablePublished = (event, { prefix }) => modify(event.payload.media_id, (current) => [
        undefined,
        current?.playable_prefix === prefix ? { ...current, playable_published_prefix: prefix } : undefined,
    ]);
    const markCharged = (event) => modify(event.payload.media_id, (current) => [
        undefined,
        current === undefined || current.source_event_id !== event.event_id ? undefined : { ...current, charged: true },
    ]);
    const publish = (event, { attempt, isPlayablePublished, ready, renditions, timings }) => modify(event.payload.media_id, (current, now) => {
        if (current === undefined || isSuperseded(current, attempt))
            return [{ _tag: "Superseded" }, undefined];
        const previous = current.version;
        const staleAttempts = current.attempts.filter((other) => isOlder(other, attempt) && other.prefix !== previous?.prefix && other.prefix !== attempt.prefix);
        const isOtherPlayable = current.playable_prefix !== undefined && current.playable_prefix !== attempt.prefix;
        const next = {
            ...(isPlayablePublished || isOtherPlayable ? current : withoutPlayable(current)),
            ...(current.source_event_id === event.event_id ? { status: "ready", stage: "publishing", percent: 100 } : {}),
            attempts: current.attempts.filter((other) => !staleAttempts.includes(other)),
            version: attempt,
            ready,
            renditions,
            timings,
            updated_at: now,
        };
        return [{ _tag: "Published", stalePrefixes: staleAttempts.map(({ prefix }) => prefix) }, next];
    });
    const fail = (eventId, failed, retainedPrefixes = new Set()) => modify(failed.media_id, (current, now) => {
        const generation = current?.generations[eventId];
        if (current === undefined || generation === undefined)
            return [[], undefined];
        if (current.deleted_at !== undefined)
            return [current.attempts.map(({ prefix }) => prefix), undefined];
        const staleAttempts = current.attempts.filter(({ generation: other, prefix }) => other === generation && prefix !== current.version?.prefix && !retainedPrefixes.has(prefix));
        const attempts = current.attempts.filter((other) => !staleAttempts.includes(other));
        // A late failure event must not hide that a replay of the event has published.
        const isCurrent = current.source_event_id === eventId && current.version?.generation !== generation;
        return [
            staleAttempts.map(({ prefix }) => prefix),
            {
                ...(staleAttempts.some(({ prefix }) => prefix === current.playable_prefix)
                    ? withoutPlayable(current)
                    : current),
                ...(isCurrent ? { status: "failed", failed } : {}),
                attempts,
                updated_at: now,
            },
        ];
    });
    const find = (mediaId) => Effect.map(states.get(mediaId), (document) => Option.getOrUndefined(document)?.value);
    const markDeleted = (mediaId, generation) => modify(mediaId, (current, now) => [
        undefined,
        current === undefined || current.deleted_at !== undefined || newestGeneration(current) > generation
            ? undefined
            : { ...current, status: "failed", deleted_at: now, updated_at: now },
    ]);
    const setCaptions = (mediaId, key, captions) => modify(mediaId, (current, now) => {
        // The media was deleted meanwhile: nothing refers to the new file.
        if (current === undefined || current.deleted_at !== undefined)
            return [captions === undefined ? [] : [captions.key], undefined];
        const { [key]: before, ...others } = current.captions ?? {};
        // An older request that was delivered again.
        if (before !== undefined && captions !== undefined && captions.uploaded_at < before.uploaded_at)
            return [captions.key === before.key ? [] : [captions.key], undefined];
        const stale = before === undefined || before.key === captions?.key ? [] : [before.key];
        const all = captions === undefined ? others : { ...others, [key]: captions };
        return [stale, { ...current, captions: all, updated_at: now }];
    });
    const clearDeleted = (mediaId) => modify(mediaId, (current, now) => {
        if (current?.deleted_at === undefined)
            return [undefined, undefined];
        const { captions: _____, failed: _, ready: __, upload: ___, version: ____, ...rest } = withoutPlayable(current);
        return [undefined, { ...rest, renditions: [], updated_at: now }];
    });
    return {
        begin,
        progress,
        markPlayable,
        markPlayablePublished,
        markCharged,
        publish,
        fail,
        find,
        markDeleted,
        setCaptions,
        clearDeleted,
        uploadEventIds: (mediaId) => Effect.map(states.get(mediaId), Option.match({ onNone: () => [], onSome: ({ value }) => Object.keys(value.generations) })),
    };
});
const withoutPlayable = (state) => {
    if (state === undefined)
        return state;
    const { playable: _, playable_prefix: __, playable_published_prefix: ___, ...rest } = state;
    // Cast: the two keys are optional, so the rest is still a complete state.
    return rest;
};
/** The version of an attempt: the last folder of its prefix. */
export const versionFromPrefix = (prefix) => prefix.split("/").at(-2) ?? "";
export const versionPrefix = (mediaId, version) => `media/${mediaId}/${version}/`;
/** The generation of the newest upload. */
export const newestGeneration = (state) => state.generations[state.source_event_id] ?? 0;
const isOlder = (a, b) => a.generation < b.generation || (a.generation === b.generation && a.token < b.token);
/** The bus retains events for a week, in which one media hardly gets a hundred uploads that could be redelivered. */
const newestGenerations = (generations) => Object.fromEntries(Object.entries(generations)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 100));
