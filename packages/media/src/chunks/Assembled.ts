/** Parts that are done, put behind each other as one stream. */
import { Effect } from "effect"
import { folders as foldersOf } from "../FfmpegCommand.ts"
import type { Uploaded } from "../SegmentUploader.ts"
import { initName } from "../SegmentUploader.ts"
import type { ChunkJobs, Job, Part } from "./ChunkJobs.ts"
import * as PlanRecord from "../PlanRecord.ts"
import { soundPart } from "./ChunkJobs.ts"
import { stepsIn } from "./SoundSteps.ts"

export interface Assembled {
  /** In the order of the plan. */
  readonly uploaded: ReadonlyArray<Uploaded>
  /** The documents that it was put together from, in the order of the film. */
  readonly parts: ReadonlyArray<Part>
}

/** As far as they follow upon each other: what lies behind the first that is missing is left out. */
export const assembled = Effect.fnUntraced(function* (
  jobs: ChunkJobs,
  version: string,
  job: Job,
  done: ReadonlyArray<string>,
) {
  const names = job.windows.map((_, index) => String(index))
  const missing = names.findIndex((name) => !done.includes(name))
  const wanted = [
    ...(missing === -1 ? names : names.slice(0, missing)),
    ...(done.includes(soundPart) ? [soundPart] : stepsIn(done)),
  ]
  const found = yield* Effect.forEach(wanted, (name) => jobs.part(version, name), { concurrency: 8 })
  const parts = found.filter((part) => part !== undefined)
  const uploaded = foldersOf(PlanRecord.fromRecord(job.plan)).flatMap((folder): ReadonlyArray<Uploaded> => {
    const pieces = parts.flatMap((part) => part.folders.filter((one) => one.folder === folder))
    const [first] = pieces
    return first === undefined
      ? []
      : [{ folder, track: first.track, init: initName, segments: pieces.flatMap(({ segments }) => segments) }]
  })
  return { uploaded, parts } satisfies Assembled
})
