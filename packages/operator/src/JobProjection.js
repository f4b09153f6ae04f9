/** Maps state documents to jobs, and applies events to jobs. */
import { eventRegistry } from "@armoricore/domain/EventRegistry";
import * as Timestamp from "@armoricore/domain/Timestamp";
import { traceIdOf } from "@armoricore/worker/TraceContext";
/** A media has one job of each kind. */
export const jobKey = ({ kind, media_id }) => `${kind} ${media_id}`;
export const fromMediaState = (state) => ({
    kind: "media",
    media_id: state.media_id,
    user_id: state.user_id,
    status: state.status,
    stage: state.stage,
    percent: state.status === "ready" ? 100 : state.percent,
    event_id: state.source_event_id,
    updated_at: state.updated_at,
    retryable: state.upload !== undefined,
    timings: state.timings,
    ...traceFields(state),
    ...(state.status === "failed" && state.failed !== undefined ? { error: state.failed.error } : {}),
    ...outputFields(state.ready),
});
export const fromTranscriptState = (state) => ({
    kind: "transcription",
    media_id: state.media_id,
    user_id: state.user_id,
    status: state.status === "complete" ? "ready" : state.status,
    stage: "transcribing",
    percent: state.percent,
    event_id: state.source_event_id,
    updated_at: state.updated_at,
    retryable: state.request !== undefined,
    ...noOutput,
    languages: Object.keys(state.languages),
    ...traceFields(state),
    ...(state.status === "failed" && state.failed !== undefined ? { error: state.failed } : {}),
});
/** Fields that only some states have. */
export const traceFields = (source) => ({
    ...(source?.trace_id === undefined ? {} : { trace_id: source.trace_id }),
    ...(source?.request_id === undefined ? {} : { request_id: source.request_id }),
});
const noOutput = { resolutions: [], thumbnails: [], timings: {} };
const outputFields = (ready) => ready === undefined
    ? { resolutions: [], thumbnails: [] }
    : {
        resolutions: ready.resolutions,
        thumbnails: ready.thumbnail_urls,
        duration: ready.duration,
        playback: ready.playback_urls.hls,
    };
/** A queued job. */
export const queuedJob = (kind, mediaId, userId, eventId, at) => ({
    kind,
    media_id: mediaId,
    user_id: userId,
    status: "processing",
    stage: "queued",
    percent: 0,
    event_id: eventId,
    updated_at: at,
    retryable: true,
    ...noOutput,
});
/** A queued job that was cancelled: the worker that receives it publishes the failure, which may take a while. */
export const cancelledJob = (job, at) => ({
    ...job,
    status: "failed",
    error: { code: "cancelled", message: "This job was cancelled before a worker started it." },
    updated_at: at,
    // A retry is possible once the failure is published.
    retryable: false,
});
/** The job after an event; undefined if the event changes nothing that is shown. */
export const applyEvent = (jobs, event) => {
    const trace = traceIdOf(event.traceparent);
    const eventFields = {
        ...traceFields({
            ...(trace === undefined ? {} : { trace_id: trace }),
            ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
        }),
        // A publisher's time may have a form that browsers do not read.
        updated_at: new Date(Timestamp.toMillis(event.timestamp)).toISOString(),
    };
    switch (event.event_type) {
        case "media.uploaded":
        case "transcription.requested": {
            const { kind } = eventRegistry[event.event_type].job;
            const { media_id, user_id } = event.payload;
            // A redelivered or republished event.
            if (jobs.get(jobKey({ kind, media_id }))?.event_id === event.event_id)
                return undefined;
            return { ...queuedJob(kind, media_id, user_id, event.event_id, event.timestamp), ...eventFields };
        }
        case "media.progress": {
            const known = jobs.get(jobKey({ kind: "media", media_id: event.payload.media_id }));
            const { percent, stage } = event.payload;
            if (known === undefined)
                return undefined;
            const { error: _over, ...job } = known;
            return { ...job, ...eventFields, status: "processing", stage, percent };
        }
        case "media.ready": {
            const { error: _over, ...before } = jobOrPlaceholder(jobs, "media", event);
            return { ...before, ...eventFields, status: "ready", percent: 100, ...outputFields(event.payload) };
        }
        case "transcription.complete": {
            const { error: _over, languages = [], ...before } = jobOrPlaceholder(jobs, "transcription", event);
            const all = [...new Set([...languages, event.payload.language])];
            return { ...before, ...eventFields, status: "ready", percent: 100, languages: all };
        }
        case "media.failed":
        case "transcription.failed": {
            const { kind } = eventRegistry[event.event_type].job;
            const before = jobOrPlaceholder(jobs, kind, event);
            const retryable = before.retryable || before.error?.code === "cancelled";
            return { ...before, ...eventFields, status: "failed", error: event.payload.error, retryable };
        }
        default:
            return undefined;
    }
};
const jobOrPlaceholder = (jobs, kind, event) => {
    const { media_id, user_id } = event.payload;
    const known = jobs.get(jobKey({ kind, media_id }));
    if (known !== undefined)
        return { ...known, user_id };
    return { ...queuedJob(kind, media_id, user_id, event.event_id, event.timestamp), stage: "publishing" };
};
