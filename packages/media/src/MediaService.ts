/**
 * The media service: turns `media.uploaded` into `media.ready` or `media.failed`, with `media.playable` and live
 * `media.progress` between, and puts the captions of `transcription.complete` into the published stream.
 * Whoever builds the Layer runs the service; closing the Layer drains it.
 */
import { derivedId } from "@armoricore/domain/Causation"
import {
  MediaControl,
  mediaChunkKind,
  mediaControlKind,
  MediaFilm,
  mediaFilmKind,
  mediaJoinKind,
  MediaRetry,
  mediaRetryKind,
} from "@armoricore/domain/MediaControl"
import type { EventOf } from "@armoricore/domain/Events"
import { Cancellation } from "@armoricore/worker/Cancellation"
import { type Job, on, onWork } from "@armoricore/worker/Handler"
import { emit, enqueue } from "@armoricore/worker/Outcome"
import * as Worker from "@armoricore/worker/Worker"
import { TransientError } from "@armoricore/domain/Errors"
import { Clock, Duration, Effect, Layer } from "effect"
import * as FfmpegPrograms from "@armoricore/ffmpeg/FfmpegPrograms"
import { enqueueJoin, enqueuePart, MediaChunk, MediaJoin } from "./chunks/ChunkWork.ts"
import type { Outcome as Completed } from "./Completion.ts"
import { availableParallelism } from "node:os"
import { attach } from "./captions/Captions.ts"
import * as Lane from "./Lane.ts"
import type { Announcement } from "./Announcement.ts"
import { Transcode } from "./Transcode.ts"
import type { Options as TranscodeOptions } from "./TranscodeOptions.ts"
import { WorkFolder } from "@armoricore/ffmpeg/WorkFolder"

export interface Options extends TranscodeOptions, FfmpegPrograms.ProgramOptions {
  /** Parent of the folders of running jobs; default: the system's folder for temporary files. */
  readonly workFolder?: string
  /** Short uploads at once, and as many long ones beside them. Default 1: ffmpeg uses every core by itself. */
  readonly concurrency?: number
  /** Short uploads of one user at once, and as many long ones, over all processes. Default: not limited. */
  readonly perUser?: number
}

/** Handlers only, over a `Transcode` of one's own. */
export const layerNoDeps = (options: Pick<Options, "bucket" | "chunks" | "concurrency" | "perUser">) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const media = yield* Transcode
      const cancellation = yield* Cancellation
      // Each job has a limit of its own that grows with its length.
      const patient = { concurrency: options.concurrency ?? 1, timeLimit: Duration.days(7) }

      /** With a limit a user's messages wait for each other, in as many rows. */
      const keyed = <A>(lane: Lane.Lane, of: (message: A) => readonly [userId: string, id: string]) =>
        options.perUser === undefined ? {} : { key: keyBy(lane, options.perUser, of) }

      const transcode = (lane: Lane.Lane) => (event: EventOf<"media.uploaded">, job: Job) =>
        Effect.map(
          media.transcode(
            event,
            { token: job.token, attempts: job.attempts, lane },
            (stage, percent) =>
              job.broadcast("media.progress", {
                media_id: event.payload.media_id,
                user_id: event.payload.user_id,
                stage,
                percent,
              }),
            (announcement) => job.tell(playable(announcement)),
          ),
          (outcome) => {
            switch (outcome._tag) {
              case "Ready":
              case "Superseded":
                return resultsOf(outcome)
              case "Long":
                return [enqueue(mediaFilmKind, whichFilm, { upload: event.payload } satisfies MediaFilm)]
              case "Chunked": {
                const { media_id, user_id } = event.payload
                const { version } = outcome
                return outcome.parts.map((part) => enqueuePart({ media_id, user_id, version, part }))
              }
            }
          },
        )

      const control = Effect.fnUntraced(function* ({ action, media_id }: MediaControl) {
        const newest = yield* media.newest(media_id)
        const cancel = (consumer: string, id: string) =>
          cancellation
            .cancel(consumer, id, `The work on ${media_id} was ended by request.`)
            .pipe(
              Effect.catchTag("Conflict", ({ key, message }) =>
                Effect.fail(
                  new TransientError({ dependency: "state", code: "contended", message: `${key}: ${message}` }),
                ),
              ),
            )
        if (newest !== undefined) {
          // The upload is at work under its event's name, or under that of a retry, or of what either handed on.
          for (const [consumer, id] of [
            ["media-media-uploaded", newest.cause],
            [`media-work-${mediaRetryKind}`, newest.cause],
            [`media-work-${mediaFilmKind}`, derivedId("work", newest.cause, "media", mediaFilmKind, whichFilm)],
          ] as const) {
            yield* cancel(consumer, id)
          }
          yield* media.cancelParts(media_id, ({ consumer, id }) => cancel(consumer, id))
        }
        if (action === "delete") yield* media.remove(media_id)
        return []
      })

      /** The same upload under a name of its own: it is ordered behind what was tried before. */
      const retry = Effect.fnUntraced(function* ({ media_id }: MediaRetry, job: Job) {
        const upload = (yield* media.newest(media_id))?.upload
        if (upload === undefined) return []
        return yield* transcode("short")(yield* uploadedBy(job, upload), job)
      })

      const film = ({ upload }: MediaFilm, job: Job) =>
        Effect.flatMap(uploadedBy(job, upload), (event) => transcode("long")(event, job))

      const chunk = ({ media_id, part, user_id, version }: MediaChunk, job: Job) =>
        Effect.map(
          media.part({
            mediaId: media_id,
            version,
            part,
            token: job.token,
            onProgress: (percent) =>
              job.broadcast("media.progress", { media_id, user_id, stage: "transcoding", percent }),
            announce: (announcement) => job.tell(playable(announcement)),
          }),
          (outcome) => (outcome._tag === "Done" && outcome.isLast ? [enqueueJoin({ media_id, user_id, version })] : []),
        )

      const join = Effect.fnUntraced(function* ({ failed, media_id, user_id, version }: MediaJoin) {
        if (failed !== undefined) {
          yield* media.endParts(version)
          return [emit("media.failed", { media_id, user_id, ...failed })]
        }
        return resultsOf(yield* media.join({ mediaId: media_id, version }))
      })

      yield* Worker.run("media", [
        on("media.uploaded", {
          ...patient,
          ...keyed("short", ({ event_id, payload }: EventOf<"media.uploaded">) => [payload.user_id, event_id]),
          handle: transcode("short"),
          failed: ({ payload }, error, at) => [
            emit("media.failed", { media_id: payload.media_id, user_id: payload.user_id, error, failed_at: at }),
          ],
        }),
        onWork(mediaRetryKind, MediaRetry, {
          ...patient,
          handle: retry,
          failed: ({ media_id, user_id }, error, at) => [
            emit("media.failed", { media_id, user_id, error, failed_at: at }),
          ],
        }),
        onWork(mediaFilmKind, MediaFilm, {
          ...patient,
          ...keyed("long", ({ upload }: MediaFilm) => [upload.user_id, upload.media_id]),
          handle: film,
          failed: ({ upload: { media_id, user_id } }, error, at) => [
            emit("media.failed", { media_id, user_id, error, failed_at: at }),
          ],
        }),
        onWork(mediaChunkKind, MediaChunk, {
          concurrency: options.chunks?.concurrency ?? availableParallelism(),
          timeLimit: patient.timeLimit,
          handle: chunk,
          failed: ({ media_id, user_id, version }, error, failed_at) => [
            enqueueJoin({ media_id, user_id, version, failed: { error, failed_at } }),
          ],
        }),
        onWork(mediaJoinKind, MediaJoin, {
          timeLimit: patient.timeLimit,
          handle: join,
          failed: ({ media_id, user_id }, error, at) => [
            emit("media.failed", { media_id, user_id, error, failed_at: at }),
          ],
        }),
        onWork(mediaControlKind, MediaControl, { handle: control, failed: () => [] }),
        // Its own result, read back: the one place that hears of every final failure, tries used up included.
        on("media.failed", {
          handle: (event) => Effect.as(media.giveUp(event), []),
          failed: () => [],
        }),
        // Captions come after the stream, or the stream is made anew after them: both look at what there is.
        on("media.ready", {
          handle: ({ payload }) => Effect.as(attach(options.bucket, payload.media_id), []),
          failed: () => [],
        }),
        on("transcription.complete", {
          handle: ({ payload }) => Effect.as(attach(options.bucket, payload.media_id), []),
          failed: () => [],
        }),
      ])
    }),
  ).pipe(Layer.provide(Cancellation.layer))

/** Of one upload there is one film. */
const whichFilm = "film"

const keyBy =
  <A>(lane: Lane.Lane, jobs: number, of: (message: A) => readonly [userId: string, id: string]) =>
  (message: A): string => {
    const [userId, id] = of(message)
    return Lane.keyOf(lane, userId, id, jobs)
  }

/** What was uploaded, as the event that a job follows from. */
const uploadedBy = (job: Job, payload: EventOf<"media.uploaded">["payload"]) =>
  Effect.map(Clock.currentTimeMillis, (now): EventOf<"media.uploaded"> => ({
    event_type: "media.uploaded",
    event_id: job.cause.eventId,
    timestamp: new Date(now).toISOString(),
    source: "media",
    ...(job.cause.requestId === undefined ? {} : { request_id: job.cause.requestId }),
    payload,
  }))

const resultsOf = (outcome: Completed) => {
  if (outcome._tag === "Superseded") return []
  const announcement = outcome.playable === undefined ? [] : [playable(outcome.playable)]
  return [...announcement, emit("media.ready", outcome.ready)]
}

/** Each version of a stream has an announcement of its own. */
const playable = ({ payload, which }: Announcement) => emit("media.playable", payload, which)

/** Needs the ports and the platform's file system, paths and child processes. */
export const layer = (options: Options) =>
  layerNoDeps(options).pipe(
    Layer.provide(Transcode.layer(options)),
    Layer.provide([FfmpegPrograms.FfmpegPrograms.layer(options), WorkFolder.layer(options.workFolder)]),
  )
