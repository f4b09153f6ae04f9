/**
 * The media service: turns `media.uploaded` into `media.ready` or `media.failed`, with `media.playable` and live
 * `media.progress` between, and puts the captions of `transcription.complete` into the published stream.
 * Whoever builds the Layer runs the service; closing the Layer drains it.
 */
import { requiredEncoders } from "../encode/codecs/Codecs.ts"
import * as Collection from "@armoricore/state/Collection"
import * as Address from "@armoricore/bus/Address"
import * as ConsumerName from "@armoricore/bus/ConsumerName"
import { deriveId } from "@armoricore/domain/DeterministicId"
import {
  MediaCommand,
  mediaChunkKind,
  mediaCommandKind,
  LongTranscodeRequest,
  longTranscodeKind,
  mediaConcatKind,
  MediaRetryRequest,
  mediaRetryKind,
} from "@armoricore/domain/MediaCommand"
import type { EventOf, EventType } from "@armoricore/domain/EventRegistry"
import { Cancellation } from "@armoricore/worker/control/Cancellation"
import { type HandlerContext, on, onWork } from "@armoricore/worker/Handler"
import { emit, enqueue } from "@armoricore/worker/ResultMessage"
import * as Worker from "@armoricore/worker/Worker"
import { Clock, Duration, Effect, Layer } from "effect"
import * as FfmpegPrograms from "@armoricore/ffmpeg/FfmpegPrograms"
import { enqueueConcat, enqueueChunk, ChunkMessage, ConcatMessage } from "../chunked/ChunkMessages.ts"
import type { PublishOutcome as Completed } from "./VersionPublisher.ts"
import { availableParallelism } from "node:os"
import { attach } from "../captions/Captions.ts"
import * as WorkClass from "./WorkClass.ts"
import type { PlayableEvent } from "./PlayableEvent.ts"
import { UploadPipeline } from "./UploadPipeline.ts"
import type { TranscodeOptions } from "./TranscodeOptions.ts"
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir"

export interface Options extends TranscodeOptions, FfmpegPrograms.ProgramOptions {
  /** Parent of the folders of running jobs; default: the system's folder for temporary files. */
  readonly scratchDir?: string
  /** Short uploads at once, and as many long ones beside them. Default 1: ffmpeg uses every core by itself. */
  readonly concurrency?: number
  /** Short uploads of one user at once, and as many long ones, over all processes. Default: not limited. */
  readonly perUser?: number
}

/** The event types that the service reads. */
export const consumedEventTypes: ReadonlyArray<EventType> = [
  "media.uploaded",
  "media.failed",
  "media.ready",
  "transcription.complete",
]

/** Handlers only, over a `Transcode` of one's own. */
export const layerNoDeps = (options: Pick<Options, "bucket" | "chunks" | "concurrency" | "perUser">) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const pipeline = yield* UploadPipeline
      const cancellation = yield* Cancellation
      // Each job has a limit of its own that grows with its length.
      const longRunning = { concurrency: options.concurrency ?? 1, timeout: Duration.days(7) }

      /** With a limit a user's messages wait for each other, in as many rows. */
      const partitioned = <A>(
        workClass: WorkClass.WorkClass,
        of: (message: A) => readonly [userId: string, id: string],
      ) => (options.perUser === undefined ? {} : { partitionKey: partitionKeyBy(workClass, options.perUser, of) })

      const processUpload =
        (workClass: WorkClass.WorkClass) => (event: EventOf<"media.uploaded">, job: HandlerContext) =>
          Effect.map(
            pipeline.processUpload(
              event,
              { fencingToken: job.fencingToken, priorAttempts: job.attempts, workClass },
              (stage, percent) =>
                job.broadcast("media.progress", {
                  media_id: event.payload.media_id,
                  user_id: event.payload.user_id,
                  stage,
                  percent,
                }),
              (announcement) => job.publishEarly(toPlayableResult(announcement)),
            ),
            (outcome) => {
              switch (outcome._tag) {
                case "Ready":
                case "Superseded":
                  return toResults(outcome)
                case "Long":
                  return [
                    enqueue(longTranscodeKind, longTranscodeDiscriminator, {
                      upload: event.payload,
                    } satisfies LongTranscodeRequest),
                  ]
                case "Chunked": {
                  const { media_id, user_id } = event.payload
                  const { version } = outcome
                  return outcome.chunks.map((chunk) => enqueueChunk({ media_id, user_id, version, chunk }))
                }
              }
            },
          )

      const handleCommand = Effect.fnUntraced(function* ({ action, media_id }: MediaCommand) {
        const newest = yield* pipeline.newestUpload(media_id)
        const cancel = (consumer: string, id: string) =>
          Collection.retryConflicts(
            cancellation.cancel(consumer, id, `The work on ${media_id} was cancelled by request.`),
          )
        if (newest !== undefined) {
          // The upload is at work under its event's name, or under that of a retry, or of what either handed on.
          for (const [consumer, id] of [
            [ConsumerName.of("media", Address.event("media.uploaded")), newest.eventId],
            [ConsumerName.of("media", Address.work("media", mediaRetryKind)), newest.eventId],
            [
              ConsumerName.of("media", Address.work("media", longTranscodeKind)),
              deriveId("work", newest.eventId, "media", longTranscodeKind, longTranscodeDiscriminator),
            ],
          ] as const) {
            yield* cancel(consumer, id)
          }
          yield* pipeline.cancelChunks(media_id, ({ consumer, id }) => cancel(consumer, id))
        }
        if (action === "delete") yield* pipeline.remove(media_id)
        return []
      })

      /** The same upload under a name of its own: it is ordered behind what was tried before. */
      const retry = Effect.fnUntraced(function* ({ media_id }: MediaRetryRequest, job: HandlerContext) {
        const upload = (yield* pipeline.newestUpload(media_id))?.upload
        if (upload === undefined) return []
        return yield* processUpload("short")(yield* uploadedEvent(job, upload), job)
      })

      const longTranscode = ({ upload }: LongTranscodeRequest, job: HandlerContext) =>
        Effect.flatMap(uploadedEvent(job, upload), (event) => processUpload("long")(event, job))

      const encodeChunk = ({ media_id, chunk, user_id, version }: ChunkMessage, job: HandlerContext) =>
        Effect.map(
          pipeline.encodeChunk({
            mediaId: media_id,
            version,
            chunk,
            fencingToken: job.fencingToken,
            onProgress: (percent) =>
              job.broadcast("media.progress", { media_id, user_id, stage: "transcoding", percent }),
            publishPlayable: (announcement) => job.publishEarly(toPlayableResult(announcement)),
          }),
          (outcome) =>
            outcome._tag === "Done" && outcome.isLast ? [enqueueConcat({ media_id, user_id, version })] : [],
        )

      const concatChunks = Effect.fnUntraced(function* ({ failed, media_id, user_id, version }: ConcatMessage) {
        if (failed !== undefined) {
          yield* pipeline.abortChunks(version)
          return [emit("media.failed", { media_id, user_id, ...failed })]
        }
        return toResults(yield* pipeline.concatChunks({ mediaId: media_id, version }))
      })

      yield* Worker.run("media", [
        on("media.uploaded", {
          ...longRunning,
          ...partitioned("short", ({ event_id, payload }: EventOf<"media.uploaded">) => [payload.user_id, event_id]),
          handle: processUpload("short"),
          onFailure: ({ payload }, error, at) => [
            emit("media.failed", { media_id: payload.media_id, user_id: payload.user_id, error, failed_at: at }),
          ],
        }),
        onWork(mediaRetryKind, MediaRetryRequest, {
          ...longRunning,
          handle: retry,
          onFailure: ({ media_id, user_id }, error, at) => [
            emit("media.failed", { media_id, user_id, error, failed_at: at }),
          ],
        }),
        onWork(longTranscodeKind, LongTranscodeRequest, {
          ...longRunning,
          ...partitioned("long", ({ upload }: LongTranscodeRequest) => [upload.user_id, upload.media_id]),
          handle: longTranscode,
          onFailure: ({ upload: { media_id, user_id } }, error, at) => [
            emit("media.failed", { media_id, user_id, error, failed_at: at }),
          ],
        }),
        onWork(mediaChunkKind, ChunkMessage, {
          concurrency: options.chunks?.concurrency ?? availableParallelism(),
          timeout: longRunning.timeout,
          handle: encodeChunk,
          onFailure: ({ media_id, user_id, version }, error, failed_at) => [
            enqueueConcat({ media_id, user_id, version, failed: { error, failed_at } }),
          ],
        }),
        onWork(mediaConcatKind, ConcatMessage, {
          timeout: longRunning.timeout,
          handle: concatChunks,
          onFailure: ({ media_id, user_id }, error, at) => [
            emit("media.failed", { media_id, user_id, error, failed_at: at }),
          ],
        }),
        onWork(mediaCommandKind, MediaCommand, { handle: handleCommand, onFailure: () => [] }),
        // Its own result, read back: the one place that hears of every final failure, tries used up included.
        on("media.failed", {
          handle: (event) => Effect.as(pipeline.recordFailure(event), []),
          onFailure: () => [],
        }),
        // Captions come after the stream, or the stream is made anew after them: both look at what there is.
        on("media.ready", {
          handle: ({ payload }) => Effect.as(attach(options.bucket, payload.media_id), []),
          onFailure: () => [],
        }),
        on("transcription.complete", {
          handle: ({ payload }) => Effect.as(attach(options.bucket, payload.media_id), []),
          onFailure: () => [],
        }),
      ])
    }),
  ).pipe(Layer.provide(Cancellation.layer))

/** Of one upload there is one film. */
const longTranscodeDiscriminator = "film"

const partitionKeyBy =
  <A>(workClass: WorkClass.WorkClass, maxJobs: number, of: (message: A) => readonly [userId: string, id: string]) =>
  (message: A): string => {
    const [userId, id] = of(message)
    return WorkClass.partitionKey(workClass, userId, id, maxJobs)
  }

/** What was uploaded, as the event that a job follows from. */
const uploadedEvent = (job: HandlerContext, payload: EventOf<"media.uploaded">["payload"]) =>
  Effect.map(Clock.currentTimeMillis, (now): EventOf<"media.uploaded"> => ({
    event_type: "media.uploaded",
    event_id: job.cause.eventId,
    timestamp: new Date(now).toISOString(),
    source: "media",
    ...(job.cause.requestId === undefined ? {} : { request_id: job.cause.requestId }),
    payload,
  }))

const toResults = (outcome: Completed) => {
  if (outcome._tag === "Superseded") return []
  const announcement = outcome.playableEvent === undefined ? [] : [toPlayableResult(outcome.playableEvent)]
  return [...announcement, emit("media.ready", outcome.ready)]
}

/** Each version of a stream has an announcement of its own. */
const toPlayableResult = ({ payload, discriminator }: PlayableEvent) => emit("media.playable", payload, discriminator)

/** Needs the ports and the platform's file system, paths and child processes. */
export const layer = (options: Options) =>
  layerNoDeps(options).pipe(
    Layer.provide(UploadPipeline.layer(options)),
    Layer.provide([
      FfmpegPrograms.FfmpegPrograms.layer({ encoders: requiredEncoders(options.codecs), ...options }),
      ScratchDir.layer(options.scratchDir),
    ]),
  )
