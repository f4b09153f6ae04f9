/**
 * The media service: turns `media.uploaded` into `media.ready` or `media.failed`, with `media.playable` and live
 * `media.progress` between, and puts the captions of `transcription.complete` into the published stream.
 * Whoever builds the Layer runs the service; closing the Layer drains it.
 */
import { MediaControl, mediaControlKind, MediaRetry, mediaRetryKind } from "@armoricore/domain/MediaControl"
import type { EventOf } from "@armoricore/domain/Events"
import { Cancellation } from "@armoricore/worker/Cancellation"
import { type Job, on, onWork } from "@armoricore/worker/Handler"
import { emit } from "@armoricore/worker/Outcome"
import * as Worker from "@armoricore/worker/Worker"
import { TransientError } from "@armoricore/domain/Errors"
import { Clock, Duration, Effect, Layer } from "effect"
import * as FfmpegPrograms from "@armoricore/ffmpeg/FfmpegPrograms"
import { attach } from "./captions/Captions.ts"
import type { Announcement } from "./Announcement.ts"
import { type Options as TranscodeOptions, Transcode } from "./Transcode.ts"
import { WorkFolder } from "@armoricore/ffmpeg/WorkFolder"

export interface Options extends TranscodeOptions, FfmpegPrograms.ProgramOptions {
  /** Parent of the folders of running jobs; default: the system's folder for temporary files. */
  readonly workFolder?: string
  /** Uploads at once. Default 1: ffmpeg uses every core by itself. */
  readonly concurrency?: number
}

/** Handlers only, over a `Transcode` of one's own. */
export const layerNoDeps = (options: Pick<Options, "bucket" | "concurrency">) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const media = yield* Transcode
      const cancellation = yield* Cancellation
      // Each job has a limit of its own that grows with its length.
      const patient = { concurrency: options.concurrency ?? 1, timeLimit: Duration.days(7) }

      const transcode = (event: EventOf<"media.uploaded">, job: Job) =>
        Effect.map(
          media.transcode(
            event,
            job,
            (stage, percent) =>
              job.broadcast("media.progress", {
                media_id: event.payload.media_id,
                user_id: event.payload.user_id,
                stage,
                percent,
              }),
            (announcement) => job.tell(playable(announcement)),
          ),
          (outcome) =>
            outcome._tag === "Ready"
              ? [
                  ...(outcome.playable === undefined ? [] : [playable(outcome.playable)]),
                  emit("media.ready", outcome.ready),
                ]
              : [],
        )

      const control = Effect.fnUntraced(function* ({ action, media_id }: MediaControl) {
        const newest = yield* media.newest(media_id)
        if (newest !== undefined) {
          // The upload is at work under its event's name, or under that of a retry.
          for (const consumer of ["media-media-uploaded", `media-work-${mediaRetryKind}`]) {
            yield* cancellation
              .cancel(consumer, newest.cause, `The work on ${media_id} was ended by request.`)
              .pipe(
                Effect.catchTag("Conflict", ({ key, message }) =>
                  Effect.fail(
                    new TransientError({ dependency: "state", code: "contended", message: `${key}: ${message}` }),
                  ),
                ),
              )
          }
        }
        if (action === "delete") yield* media.remove(media_id)
        return []
      })

      /** The same upload under a name of its own: it is ordered behind what was tried before. */
      const retry = Effect.fnUntraced(function* ({ media_id }: MediaRetry, job: Job) {
        const upload = (yield* media.newest(media_id))?.upload
        if (upload === undefined) return []
        return yield* transcode(
          {
            event_type: "media.uploaded",
            event_id: job.cause.eventId,
            timestamp: new Date(yield* Clock.currentTimeMillis).toISOString(),
            source: "media",
            payload: upload,
          },
          job,
        )
      })

      yield* Worker.run("media", [
        on("media.uploaded", {
          ...patient,
          handle: transcode,
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

/** Each version of a stream has an announcement of its own. */
const playable = ({ payload, which }: Announcement) => emit("media.playable", payload, which)

/** Needs the ports and the platform's file system, paths and child processes. */
export const layer = (options: Options) =>
  layerNoDeps(options).pipe(
    Layer.provide(Transcode.layer(options)),
    Layer.provide([FfmpegPrograms.FfmpegPrograms.layer(options), WorkFolder.layer(options.workFolder)]),
  )
