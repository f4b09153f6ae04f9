/**
 * The ai service: turns `transcription.requested` into `transcription.complete` or `.failed`, and looks at what people
 * write (`chat.message`, `comment.created`): what must go or be looked at becomes `moderation.flagged`.
 * Whoever builds the Layer runs the service; closing the Layer drains it.
 */
import type { EventOf, EventType } from "@armoricore/domain/EventRegistry"
import { TranscriptRetryRequest, transcriptRetryKind } from "@armoricore/domain/TranscriptCommand"
import { type HandlerContext, on, onWork } from "@armoricore/worker/Handler"
import { emit } from "@armoricore/worker/ResultMessage"
import * as Worker from "@armoricore/worker/Worker"
import { Clock, Duration, Effect, Layer, Option } from "effect"
import { failure } from "./TranscriptionFailures.ts"
import { Moderator } from "./moderation/Moderator.ts"
import { Transcriber } from "./Transcriber.ts"

export interface Options {
  /** Recordings at once. Default 1: their pieces run side by side. */
  readonly transcriptionConcurrency?: number
  /** Messages looked at at once. Default 16. */
  readonly moderationConcurrency?: number
}

/** The event types that the service reads. */
export const consumedEventTypes: ReadonlyArray<EventType> = [
  "transcription.requested",
  "transcription.failed",
  "chat.message",
  "comment.created",
]

/** A day of sound at a slow engine; every call has a limit of its own. */
const transcriptionTimeLimit = Duration.days(2)

/** Without `Transcribe` every request is answered with what to configure; without `Moderator` nothing is flagged. */
export const layer = (options: Options = {}) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const transcriber = yield* Effect.serviceOption(Transcriber)
      const moderator = yield* Effect.serviceOption(Moderator)
      const checkMessage: Moderator["Service"]["check"] = (message) =>
        Option.isNone(moderator) ? Effect.succeed(undefined) : moderator.value.check(message)
      const moderationOptions = { concurrency: options.moderationConcurrency ?? 16, onFailure: () => [] }
      yield* Worker.run("ai", [
        on("transcription.requested", {
          concurrency: options.transcriptionConcurrency ?? 1,
          timeout: transcriptionTimeLimit,
          handle: (event, job) =>
            Option.match(transcriber, {
              onNone: () => Effect.fail(failure("speech_engine_not_configured")),
              onSome: ({ transcribe }) =>
                Effect.map(transcribe(event, job), (complete) => [emit("transcription.complete", complete)]),
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
          timeout: transcriptionTimeLimit,
          handle: ({ media_id }, job) =>
            Option.match(transcriber, {
              onNone: () => Effect.fail(failure("speech_engine_not_configured")),
              onSome: ({ latestRequest, transcribe }) =>
                Effect.gen(function* () {
                  const request = yield* latestRequest(media_id)
                  if (request === undefined) return []
                  return [emit("transcription.complete", yield* transcribe(yield* retryRequest(job, request), job))]
                }),
            }),
          onFailure: ({ media_id, user_id }, error, at) => [
            emit("transcription.failed", { media_id, user_id, error, failed_at: at }),
          ],
        }),
        // Its own result, read back: the one place that hears of every final failure, tries used up included.
        on("transcription.failed", {
          handle: (event) =>
            Option.match(transcriber, {
              onNone: () => Effect.succeed([]),
              onSome: ({ recordFailure }) => Effect.as(recordFailure(event), []),
            }),
          onFailure: () => [],
        }),
        on("chat.message", {
          ...moderationOptions,
          handle: ({ payload: { content, message_id: id, room_id, timestamp, user_id } }) =>
            Effect.map(
              checkMessage({
                kind: "chat",
                id,
                conversationId: room_id,
                userId: user_id,
                content,
                writtenAtMillis: Date.parse(timestamp),
              }),
              (verdict) =>
                verdict === undefined
                  ? []
                  : [emit("moderation.flagged", { target: { kind: "chat", id, room_id, user_id }, ...verdict })],
            ),
        }),
        on("comment.created", {
          ...moderationOptions,
          handle: ({ timestamp, payload: { comment_id: id, content, stream_id, user_id } }) =>
            // A comment's own time is its writer's word; the event's is ours.
            Effect.map(
              checkMessage({
                kind: "comment",
                id,
                conversationId: stream_id,
                userId: user_id,
                content,
                writtenAtMillis: Date.parse(timestamp),
              }),
              (verdict) =>
                verdict === undefined
                  ? []
                  : [emit("moderation.flagged", { target: { kind: "comment", id, stream_id, user_id }, ...verdict })],
            ),
        }),
      ])
    }),
  )

/** The same request under a name of its own: it is newer than what was tried before. */
const retryRequest = (job: HandlerContext, payload: EventOf<"transcription.requested">["payload"]) =>
  Effect.map(Clock.currentTimeMillis, (now): EventOf<"transcription.requested"> => ({
    event_type: "transcription.requested",
    event_id: job.cause.eventId,
    timestamp: new Date(now).toISOString(),
    source: "ai",
    ...(job.cause.requestId === undefined ? {} : { request_id: job.cause.requestId }),
    payload,
  }))
