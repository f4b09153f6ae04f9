/**
 * The ai service: turns `transcription.requested` into `transcription.complete` or `.failed`.
 * Whoever builds the Layer runs the service; closing the Layer drains it.
 */
import { on } from "@armoricore/worker/Handler"
import { emit } from "@armoricore/worker/Outcome"
import * as Worker from "@armoricore/worker/Worker"
import { Duration, Effect, Layer, Option } from "effect"
import { failure } from "./Failures.ts"
import { Transcribe } from "./Transcribe.ts"

export interface Options {
  /** Recordings at once. Default 1: their pieces run side by side. */
  readonly concurrency?: number
}

/** Without `Transcribe` every request is answered with what to configure. */
export const layer = (options: Options = {}) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const service = yield* Effect.serviceOption(Transcribe)
      yield* Worker.run("ai", [
        on("transcription.requested", {
          concurrency: options.concurrency ?? 1,
          // A day of sound at a slow engine; every call has a limit of its own.
          timeLimit: Duration.days(2),
          handle: (event, job) =>
            Option.match(service, {
              onNone: () => Effect.fail(failure("speech_off")),
              onSome: ({ transcribe }) =>
                Effect.map(transcribe(event, job), (complete) => [emit("transcription.complete", complete)]),
            }),
          failed: ({ payload }, error, at) => [
            emit("transcription.failed", {
              media_id: payload.media_id,
              user_id: payload.user_id,
              error,
              failed_at: at,
            }),
          ],
        }),
        // Its own result, read back: the one place that hears of every final failure, tries used up included.
        on("transcription.failed", {
          handle: (event) =>
            Option.match(service, {
              onNone: () => Effect.succeed([]),
              onSome: ({ giveUp }) => Effect.as(giveUp(event), []),
            }),
          failed: () => [],
        }),
      ])
    }),
  )
