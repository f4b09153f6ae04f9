/** One attempt to process one upload: its identity, its progress and the charge to its user's quota. */
import type { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import type { EventOf } from "@armoricore/domain/EventRegistry"
import type { MediaAttempt } from "@armoricore/domain/MediaState"
import { Clock, Duration, Effect } from "effect"
import type { MediaRecord, Stage } from "../record/MediaRecord.ts"
import type { QuotaPolicy } from "./Quota.ts"
import type { WorkClass } from "./WorkClass.ts"

export interface UploadJob {
  readonly event: EventOf<"media.uploaded">
  /** All objects of this attempt are written below `attempt.prefix`. */
  readonly attempt: MediaAttempt
  /** The queue that the message came from; undefined: the upload is processed here even if it is long. */
  readonly workClass: WorkClass | undefined
  readonly isFirstAttempt: boolean
  readonly progress: JobProgress
  readonly charge: Charge
  /** Publishes `media.playable` with this master playlist and returns whether it did; undefined: do not publish early. */
  readonly onPlayable: ((master: string) => Effect.Effect<boolean>) | undefined
}

/** Percent of the whole job, 0 to 100. */
export type OnProgress = (stage: Stage, percent: number) => Effect.Effect<void>

export interface JobProgress {
  readonly report: OnProgress
  /** Measures how long a stage takes. */
  readonly timeStage: <A, E, R>(stage: Stage, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Wall-clock milliseconds of the finished stages. */
  readonly timings: Record<string, number>
}

/** The state record is written after this many percent or, if the progress is slower, after this many milliseconds. */
const recordInterval = { percent: 10, millis: 5_000 }

/** Reports progress and stage timings. A failure to report is logged and never fails the job. */
export const makeProgress = (
  event: EventOf<"media.uploaded">,
  record: MediaRecord,
  onProgress: OnProgress,
): JobProgress => {
  const timings: Record<string, number> = {}
  let lastRecorded = -100
  let recordedAt = 0
  return {
    timings,
    report: (stage, percent) =>
      Effect.gen(function* () {
        const rounded = Math.round(Math.min(100, Math.max(0, percent)) * 100) / 100
        yield* onProgress(stage, rounded)
        const now = yield* Clock.currentTimeMillis
        const isSlow = rounded > lastRecorded && now - recordedAt >= recordInterval.millis
        if (isSlow || rounded - lastRecorded >= recordInterval.percent) {
          lastRecorded = rounded
          recordedAt = now
          yield* record.progress(event, stage, rounded)
        }
      }).pipe(Effect.catch((error) => Effect.logDebug("Progress could not be recorded", { stage, percent, error }))),
    timeStage: (stage, effect) =>
      Effect.map(Effect.timed(effect), ([duration, value]) => {
        timings[stage] = Math.round(Duration.toMillis(duration))
        return value
      }),
  }
}

/** Charges an upload to its user's quota, once its size and length are known. */
export type Charge = (usage: {
  readonly bytes: number
  readonly seconds: number
}) => Effect.Effect<void, TransientError | PermanentError | ConfigurationError>

/** An upload is charged once, also when it is processed several times. */
export const makeCharge = (event: EventOf<"media.uploaded">, record: MediaRecord, quota: QuotaPolicy): Charge =>
  Effect.fnUntraced(function* (usage) {
    const { media_id, user_id } = event.payload
    const state = yield* record.find(media_id)
    if (state?.source_event_id === event.event_id && state.charged === true) return
    yield* quota.charge(user_id, { eventId: event.event_id, ...usage })
    yield* record.markCharged(event)
  })
