/**
 * The media service: turns `media.uploaded` into `media.ready` or `media.failed`, with live `media.progress` between,
 * and puts the captions of `transcription.complete` into the published stream.
 * Whoever builds the Layer runs the service; closing the Layer drains it.
 */
import { on } from "@armoricore/worker/Handler"
import { emit } from "@armoricore/worker/Outcome"
import * as Worker from "@armoricore/worker/Worker"
import { Duration, Effect, Layer } from "effect"
import * as FfmpegPrograms from "@armoricore/ffmpeg/FfmpegPrograms"
import { attach } from "./captions/Captions.ts"
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
      yield* Worker.run("media", [
        on("media.uploaded", {
          concurrency: options.concurrency ?? 1,
          // Each job has a limit of its own that grows with its length.
          timeLimit: Duration.days(7),
          handle: (event, job) =>
            Effect.map(
              media.transcode(event, job, (stage, percent) =>
                job.broadcast("media.progress", {
                  media_id: event.payload.media_id,
                  user_id: event.payload.user_id,
                  stage,
                  percent,
                }),
              ),
              (outcome) => (outcome._tag === "Ready" ? [emit("media.ready", outcome.ready)] : []),
            ),
          failed: ({ payload }, error, at) => [
            emit("media.failed", { media_id: payload.media_id, user_id: payload.user_id, error, failed_at: at }),
          ],
        }),
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
  )

/** Needs the ports and the platform's file system, paths and child processes. */
export const layer = (options: Options) =>
  layerNoDeps(options).pipe(
    Layer.provide(Transcode.layer(options)),
    Layer.provide([FfmpegPrograms.FfmpegPrograms.layer(options), WorkFolder.layer(options.workFolder)]),
  )
