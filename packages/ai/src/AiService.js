import { TranscriptRetryRequest, transcriptRetryKind } from "@armoricore/domain/TranscriptCommand";
import { on, onWork } from "@armoricore/worker/Handler";
import { emit } from "@armoricore/worker/ResultMessage";
import * as Worker from "@armoricore/worker/Worker";
import { Clock, Duration, Effect, Layer, Option } from "effect";
import { failure } from "./TranscriptionFailures.ts";
import { Moderator } from "./moderation/Moderator.ts";
import * as ModerationWorker from "./moderation/ModerationWorker.ts";
import { Transcriber } from "./Transcriber.ts";
/** The event types that the service reads. */
export const consumedEventTypes = [
    "transcription.requested",
    "transcription.failed",
    ...ModerationWorker.consumedTypes,
];
/** Enough for a day of audio at a slow engine. Each engine call has its own, shorter timeout. */
const transcriptionTimeout = Duration.days(2);
/** Without a `Transcriber` every request fails as not configured; without a `Moderator` no message is flagged. */
export const layer = (options = {}) => Layer.effectDiscard(Effect.gen(function* () {
    const transcriber = yield* Effect.serviceOption(Transcriber);
    const moderator = yield* Effect.serviceOption(Moderator);
    const isModerating = Option.isSome(moderator) && moderator.value.isActive;
    if (isModerating)
        yield* ModerationWorker.reportFinishedFloods(moderator.value);
    yield* Worker.run("ai", [
        on("transcription.requested", {
            concurrency: options.transcriptionConcurrency ?? 1,
            timeout: transcriptionTimeout,
            handle: (event, context) => Option.match(transcriber, {
                onNone: () => Effect.fail(failure("speech_engine_not_configured")),
                onSome: ({ transcribe }) => toResults(transcribe(event, context)),
            }),
            onFailure: ({ payload }, error, at) => [
                emit("transcription.failed", {
                    media_id: payload.media_id,
                    user_id: payload.user_id,
                    error,
                    failed_at: at,
                }),
            ],
        }),
        onWork(transcriptRetryKind, TranscriptRetryRequest, {
            timeout: transcriptionTimeout,
            handle: ({ media_id }, context) => Option.match(transcriber, {
                onNone: () => Effect.fail(failure("speech_engine_not_configured")),
                onSome: ({ latestRequest, transcribe }) => Effect.gen(function* () {
                    const request = yield* latestRequest(media_id);
                    if (request === undefined)
                        return [];
                    return yield* toResults(transcribe(yield* retryRequest(context, request), context));
                }),
            }),
            onFailure: ({ media_id, user_id }, error, at) => [
                emit("transcription.failed", { media_id, user_id, error, failed_at: at }),
            ],
        }),
        // The service consumes its own failures: the worker also emits them after the last attempt, outside of `handle`.
        on("transcription.failed", {
            handle: (event) => Option.match(transcriber, {
                onNone: () => Effect.succeed([]),
                onSome: ({ recordFailure }) => Effect.as(recordFailure(event), []),
            }),
            onFailure: () => [],
        }),
        ...(isModerating ? ModerationWorker.handlers(moderator.value, options.moderationConcurrency ?? 16) : []),
    ]);
}));
const toResults = (transcription) => transcription.pipe(Effect.map((complete) => [emit("transcription.complete", complete)]), Effect.catchTag("MediaDeleted", () => Effect.succeed([])));
/** The request under the id of the retry, so that it counts as newer than the failed one. */
const retryRequest = (context, payload) => Effect.map(Clock.currentTimeMillis, (now) => ({
    event_type: "transcription.requested",
    event_id: context.cause.eventId,
    timestamp: new Date(now).toISOString(),
    source: "ai",
    ...(context.cause.requestId === undefined ? {} : { request_id: context.cause.requestId }),
    payload,
}));
