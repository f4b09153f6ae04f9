/** Jobs: list, watch, cancel, retry. A media worker is asked for the last two as over HTTP, the ledger for the rest. */
import * as ConsumerName from "@armoricore/bus/ConsumerName";
import { event, work } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { deriveId } from "@armoricore/domain/DeterministicId";
import { mediaCommandKind, mediaRetryKind, } from "@armoricore/domain/MediaCommand";
import { transcriptRetryKind } from "@armoricore/domain/TranscriptCommand";
import { Cancellation } from "@armoricore/worker/control/Cancellation";
import { Effect, Stream } from "effect";
import { ActionRejected } from "../api/Errors.ts";
import { JobIndex } from "../JobIndex.ts";
import { mapErrors, clampLimit, notFound } from "./Errors.ts";
const [defaultLimit, maxLimit] = [100, 500];
const watchIntervalMillis = 500;
/** Durable consumers that may have the message of a job. */
const consumerNames = {
    media: [ConsumerName.of("media", event("media.uploaded"))],
    transcription: [
        ConsumerName.of("ai", event("transcription.requested")),
        ConsumerName.of("ai", work("ai", transcriptRetryKind)),
    ],
};
export const make = Effect.gen(function* () {
    const jobIndex = yield* JobIndex;
    const bus = yield* EventBus;
    const cancellation = yield* Cancellation;
    const find = Effect.fnUntraced(function* ({ kind = "media", media_id }) {
        const what = kind === "media" ? "media" : "transcription of the media";
        return (yield* jobIndex.get(kind, media_id)) ?? (yield* notFound(what, media_id));
    });
    /** The same wish in the same state is one message. */
    const enqueue = Effect.fnUntraced(function* (address, payload, discriminators) {
        const id = deriveId(address.service, address.kind, payload.media_id, ...discriminators);
        const body = new TextEncoder().encode(JSON.stringify({ cause_id: id, payload }));
        yield* bus.publish({ address, id, body });
        return id;
    });
    /** Also what no worker has begun with. */
    const cancelInLedger = Effect.fnUntraced(function* ({ event_id, kind, media_id }) {
        const what = kind === "media" ? "work on" : "transcription of";
        for (const consumer of consumerNames[kind]) {
            const ended = yield* cancellation.cancel(consumer, event_id, `The ${what} ${media_id} was ended by request.`);
            if (!ended)
                return yield* new ActionRejected({ code: "too_late", message: "its result is decided already" });
        }
        yield* jobIndex.markCancelled(event_id);
    });
    const cancel = Effect.fnUntraced(function* (found) {
        const { job } = found;
        if (job.status !== "processing") {
            return yield* new ActionRejected({
                code: "not_processing",
                message: `this ${job.kind} is ${job.status}; there is nothing to cancel`,
            });
        }
        if (found._tag !== "Media")
            return yield* cancelInLedger(job);
        const payload = { action: "cancel", media_id: found.state.media_id };
        yield* enqueue(work("media", mediaCommandKind), payload, ["cancel", found.state.source_event_id]);
    });
    const retry = Effect.fnUntraced(function* (found) {
        const { job } = found;
        if (found._tag === "Queued" && job.status === "failed") {
            return yield* new ActionRejected({
                code: "not_failed",
                message: `this ${job.kind} is being cancelled; it can be retried once its worker has confirmed that`,
            });
        }
        if (found._tag === "Queued" || job.status !== "failed") {
            return yield* new ActionRejected({
                code: "not_failed",
                message: `this ${job.kind} is ${job.status}; only a failed one can be retried`,
            });
        }
        if (!job.retryable) {
            return yield* new ActionRejected(job.kind === "media"
                ? {
                    code: "upload_not_found",
                    message: "what was uploaded is not known any more; it has to be uploaded again",
                }
                : {
                    code: "request_not_found",
                    message: "what was asked for is not known any more; publish transcription.requested again",
                });
        }
        const { media_id, user_id } = job;
        const address = found._tag === "Media" ? work("media", mediaRetryKind) : work("ai", transcriptRetryKind);
        const id = yield* enqueue(address, { media_id, user_id }, [found.state.source_event_id]);
        if (found._tag === "Transcript")
            yield* jobIndex.markRetried(job, id);
    });
    const listJobs = ({ limit, ...filter }) => mapErrors(jobIndex.list({ ...filter, limit: clampLimit(limit, defaultLimit, maxLimit) }));
    return {
        ListJobs: listJobs,
        WatchJobs: (request) => {
            const list = listJobs(request);
            // Listening first: what changes while the list is made is in the next one.
            const changes = jobIndex.changes.pipe(Stream.throttle({ cost: () => 1, units: 1, duration: watchIntervalMillis, strategy: "shape" }));
            return Stream.merge(Stream.succeed(undefined), changes).pipe(Stream.mapEffect(() => list));
        },
        GetJob: (target) => mapErrors(Effect.map(find(target), ({ job }) => job)),
        CancelJob: (target) => mapErrors(Effect.flatMap(find(target), cancel)),
        RetryJob: (target) => mapErrors(Effect.flatMap(find(target), retry)),
    };
});
