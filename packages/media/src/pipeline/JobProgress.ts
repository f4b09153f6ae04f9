/** Tells how far a job is, and how long its stages took. What cannot be told must not end the job. */
import type { EventOf } from "@armoricore/domain/EventRegistry"
import { Duration, Effect } from "effect"
import type { MediaRecord, Stage } from "../record/MediaRecord.ts"

/** Where a job stands: percent over the whole job, 0 to 100. */
export type OnProgress = (stage: Stage, percent: number) => Effect.Effect<void>

export interface JobProgress {
  readonly report: OnProgress
  readonly timeStage: <A, E, R>(stage: Stage, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Wall milliseconds by stage so far. */
  readonly timings: Record<string, number>
}

/** The state record has every tenth percent. */
const recordStep = 10

export const make = (event: EventOf<"media.uploaded">, record: MediaRecord, onProgress: OnProgress): JobProgress => {
  const timings: Record<string, number> = {}
  let recorded = -100
  return {
    timings,
    report: (stage, percent) =>
      Effect.gen(function* () {
        const rounded = Math.round(Math.min(100, Math.max(0, percent)) * 10) / 10
        yield* onProgress(stage, rounded)
        if (rounded - recorded >= recordStep) {
          recorded = rounded
          yield* record.progress(event, stage, rounded)
        }
      }).pipe(Effect.catch((error) => Effect.logDebug("progress was not recorded", { error }))),
    timeStage: (stage, effect) =>
      Effect.map(Effect.timed(effect), ([took, value]) => {
        timings[stage] = Math.round(Duration.toMillis(took))
        return value
      }),
  }
}
