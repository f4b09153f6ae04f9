/**
 * The jobs of the installation (media and transcriptions), newest first. They are read from the state at the first
 * request and then updated from the events on the bus, so a thousand progress events cost no reads. Transcriptions
 * publish no progress: running ones are read again while a client watches.
 *
 * After a bus disconnect, when events may have been missed, everything is read again. Of finished jobs only the latest
 * are retained.
 */
import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { eventRegistry, jobEventTypes } from "@armoricore/domain/EventRegistry";
import * as Timestamp from "@armoricore/domain/Timestamp";
import * as Collection from "@armoricore/state/Collection";
import * as Cancellation from "@armoricore/worker/control/Cancellation";
import { mediaStates } from "@armoricore/state/MediaStates";
import { transcriptStates } from "@armoricore/state/TranscriptStates";
import { Clock, Context, Effect, Exit, Fiber, Latch, Layer, Option, PubSub, Result, Scope, Semaphore, Stream, } from "effect";
import * as JobProjection from "./JobProjection.ts";
export class JobIndex extends Context.Service()("@armoricore/operator/JobIndex") {
    static layer = Layer.effect(JobIndex, Effect.suspend(() => make));
}
/** Maximum retained finished jobs. */
const maxRetainedJobs = 2_000;
const pageSize = 500;
/** How long `counts` waits for the first read. */
const initialLoadTimeout = "1 second";
/** The interval at which running transcriptions are read, and how many of them. */
const refreshIntervalMillis = 2_000;
const maxRefreshedJobs = 100;
const make = Effect.gen(function* () {
    const bus = yield* EventBus;
    const media = yield* Collection.make(mediaStates);
    const transcripts = yield* Collection.make(transcriptStates);
    const scope = yield* Effect.scope;
    const clock = yield* Clock.Clock;
    /** The latest change is last. */
    const jobs = new Map();
    const changes = yield* PubSub.sliding(1);
    const gapDetected = Latch.makeUnsafe(false);
    const upsert = (job) => {
        const key = JobProjection.jobKey(job);
        jobs.delete(key);
        jobs.set(key, job);
        if (jobs.size > maxRetainedJobs * 2)
            evict();
        PubSub.publishUnsafe(changes, undefined);
    };
    const evict = () => {
        let surplus = jobs.size - maxRetainedJobs;
        for (const [key, job] of jobs) {
            if (surplus <= 0)
                return;
            if (job.status === "processing")
                continue;
            jobs.delete(key);
            surplus--;
        }
    };
    /** Another process may cancel a job, so the broadcast that ends running jobs is read here too. */
    const markCancelled = (eventId) => {
        for (const job of jobs.values()) {
            if (job.event_id !== eventId || job.stage !== "queued" || job.status !== "processing")
                continue;
            return upsert(JobProjection.cancelledJob(job, new Date(clock.currentTimeMillisUnsafe()).toISOString()));
        }
    };
    const readAll = Effect.fnUntraced(function* (states, toJob) {
        let after;
        const found = [];
        for (;;) {
            const documents = yield* states.list({ limit: pageSize, ...(after === undefined ? {} : { after }) });
            for (const { value } of documents) {
                const job = toJob(value);
                if (job !== undefined)
                    found.push(job);
            }
            // Jobs that ended long ago need not be sorted.
            if (found.length > maxRetainedJobs * 4)
                found.sort(byUpdatedAt).splice(0, found.length - maxRetainedJobs * 2);
            after = documents.at(-1)?.key;
            if (documents.length < pageSize)
                return found;
        }
    });
    const load = Effect.gen(function* () {
        const found = [
            ...(yield* readAll(media, (state) => state.deleted_at === undefined ? JobProjection.fromMediaState(state) : undefined)),
            ...(yield* readAll(transcripts, JobProjection.fromTranscriptState)),
        ];
        for (const job of found.sort(byUpdatedAt)) {
            const key = JobProjection.jobKey(job);
            const known = jobs.get(key);
            jobs.delete(key);
            jobs.set(key, { ...JobProjection.traceFields(known), ...job });
        }
        evict();
        PubSub.publishUnsafe(changes, undefined);
    });
    const subscribe = Effect.gen(function* () {
        const onMessage = ({ body }) => {
            const decoded = EventCodec.decodeResult(body);
            if (Result.isSuccess(decoded) && decoded.success.event.event_type === "media.deleted") {
                for (const kind of ["media", "transcription"]) {
                    jobs.delete(JobProjection.jobKey({ kind, media_id: decoded.success.event.payload.media_id }));
                }
                PubSub.publishUnsafe(changes, undefined);
                return;
            }
            const job = Result.isSuccess(decoded) ? JobProjection.applyEvent(jobs, decoded.success.event) : undefined;
            if (job !== undefined)
                upsert(job);
        };
        const onGap = () => void gapDetected.openUnsafe();
        for (const type of jobEventTypes) {
            if (eventRegistry[type].stored)
                yield* bus.subscribe(Address.event(type), onMessage, onGap);
            else
                yield* bus.subscribe(Address.ephemeral(type), onMessage);
        }
        yield* bus.subscribe(Cancellation.address, ({ body }) => markCancelled(Cancellation.eventIdOf(body)));
        yield* load;
        // Ends with the layer.
        yield* Effect.forkIn(Effect.forever(Effect.andThen(gapDetected.await, reload)), scope);
    });
    const reload = Effect.andThen(gapDetected.close, load.pipe(Effect.catch((error) => Effect.logWarning(`jobs cannot be read: ${error.message}`))));
    const startLock = Semaphore.makeUnsafe(1);
    let loadFiber;
    const startLoading = Effect.gen(function* () {
        const subscriptionScope = yield* Scope.fork(scope);
        yield* Effect.onError(Scope.provide(subscribe, subscriptionScope), () => Scope.close(subscriptionScope, Exit.void));
    });
    /**
     * The first request pays for the read; a failed read leaves nothing behind. Reading a million jobs takes a while: if
     * the caller is interrupted, the read continues for the next one.
     */
    const loaded = startLock
        .withPermits(1)(Effect.suspend(() => loadFiber === undefined
        ? Effect.tap(Effect.forkIn(startLoading, scope), (fiber) => Effect.sync(() => void (loadFiber = fiber)))
        : Effect.succeed(loadFiber)))
        .pipe(Effect.flatMap((fiber) => Effect.tapError(Fiber.join(fiber), () => Effect.sync(() => {
        if (loadFiber === fiber)
            loadFiber = undefined;
    }))));
    const activeTranscriptions = () => [...jobs.values()].filter(({ kind, status }) => kind === "transcription" && status === "processing");
    let refreshedAt = 0;
    const refreshTranscriptions = Effect.gen(function* () {
        const active = activeTranscriptions();
        const now = yield* Clock.currentTimeMillis;
        if (active.length === 0 || now - refreshedAt < refreshIntervalMillis)
            return;
        refreshedAt = now;
        yield* Effect.forEach(active.slice(-maxRefreshedJobs), Effect.fnUntraced(function* (job) {
            const state = Option.getOrUndefined(yield* transcripts.get(job.media_id))?.value;
            const known = jobs.get(JobProjection.jobKey(job));
            // An event of another request, or one that is already applied.
            if (state === undefined || known !== job || state.source_event_id !== job.event_id || isUnchanged(job, state))
                return;
            upsert({ ...JobProjection.traceFields(job), ...JobProjection.fromTranscriptState(state) });
        }), { concurrency: 8, discard: true });
    });
    return JobIndex.of({
        list: Effect.fnUntraced(function* ({ kind, limit, query, status }) {
            yield* loaded;
            yield* refreshTranscriptions;
            const found = [];
            for (const job of [...jobs.values()].reverse()) {
                if (found.length >= limit)
                    break;
                if (kind !== undefined && job.kind !== kind)
                    continue;
                if (status !== undefined && job.status !== status)
                    continue;
                if (query !== undefined && !job.media_id.includes(query) && !job.user_id.includes(query))
                    continue;
                found.push(job);
            }
            return found;
        }),
        get: Effect.fnUntraced(function* (kind, mediaId) {
            const known = jobs.get(JobProjection.jobKey({ kind, media_id: mediaId }));
            const queued = known?.stage === "queued" ? { _tag: "Queued", job: known } : undefined;
            if (kind === "transcription") {
                const state = Option.getOrUndefined(yield* transcripts.get(mediaId))?.value;
                if (state === undefined || (queued !== undefined && state.source_event_id !== queued.job.event_id))
                    return queued;
                return {
                    _tag: "Transcript",
                    state,
                    job: { ...JobProjection.traceFields(known), ...JobProjection.fromTranscriptState(state) },
                };
            }
            const state = Option.getOrUndefined(yield* media.get(mediaId))?.value;
            // An upload that has no state document yet.
            if (state === undefined || (queued !== undefined && !(queued.job.event_id in state.generations)))
                return queued;
            if (state.deleted_at !== undefined)
                return undefined;
            const job = { ...JobProjection.traceFields(known), ...JobProjection.fromMediaState(state) };
            const merged = isBehind(job, known) ? { ...job, stage: known.stage, percent: known.percent } : job;
            return { _tag: "Media", state, job: merged };
        }),
        markCancelled: (eventId) => Effect.sync(() => markCancelled(eventId)),
        markRetried: ({ error: _over, ...job }, eventId) => Effect.map(Clock.currentTimeMillis, (now) => upsert({
            ...job,
            status: "processing",
            stage: "queued",
            percent: 0,
            event_id: eventId,
            updated_at: new Date(now).toISOString(),
        })),
        counts: Effect.map(Effect.timeoutOption(loaded, initialLoadTimeout), () => {
            const stages = {};
            const ended = { ready: 0, failed: 0 };
            for (const { stage, status } of jobs.values()) {
                if (status === "processing")
                    stages[stage] = (stages[stage] ?? 0) + 1;
                else
                    ended[status]++;
            }
            return { stages, ...ended };
        }),
        changes: Stream.merge(Stream.fromPubSub(changes), Stream.filter(Stream.tick(refreshIntervalMillis), () => activeTranscriptions().length > 0)),
    });
});
const byUpdatedAt = (a, b) => Timestamp.toMillis(a.updated_at) - Timestamp.toMillis(b.updated_at);
const isUnchanged = (job, { percent, status }) => job.stage === "transcribing" && job.percent === percent && status === "processing";
/** Progress is stored only now and then; a progress event of the same work is newer. */
const isBehind = (job, known) => known !== undefined &&
    job.status === "processing" &&
    known.status === "processing" &&
    known.event_id === job.event_id &&
    known.percent > job.percent;
