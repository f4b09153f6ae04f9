/** Parts that are done, put behind each other as one stream. */
import { Effect } from "effect"
import { trackFolders as foldersOf } from "../encode/EncodingPlan.ts"
import type { UploadedTrack } from "../packaging/SegmentUploader.ts"
import { initName } from "../packaging/SegmentUploader.ts"
import type { ChunkedEncodes, ChunkedEncode, ChunkOutput } from "./ChunkedEncodes.ts"
import { audioChunk } from "./ChunkedEncodes.ts"
import { completedCheckpoints } from "./AudioCheckpoint.ts"

export interface AssembledStream {
  /** In the order of the plan. */
  readonly uploadedTracks: ReadonlyArray<UploadedTrack>
  /** The documents that it was put together from, in the order of the film. */
  readonly chunks: ReadonlyArray<ChunkOutput>
}

/** As far as they follow upon each other: what lies behind the first that is missing is left out. */
export const assemble = Effect.fnUntraced(function* (
  jobs: ChunkedEncodes,
  version: string,
  job: ChunkedEncode,
  completed: ReadonlyArray<string>,
) {
  const names = job.windows.map((_, index) => String(index))
  const missing = names.findIndex((name) => !completed.includes(name))
  const expected = [
    ...(missing === -1 ? names : names.slice(0, missing)),
    ...(completed.includes(audioChunk) ? [audioChunk] : completedCheckpoints(completed)),
  ]
  const outputs = yield* Effect.forEach(expected, (name) => jobs.findOutput(version, name), { concurrency: 8 })
  const chunks = outputs.filter((part) => part !== undefined)
  const uploadedTracks = foldersOf(job.plan).flatMap((folder): ReadonlyArray<UploadedTrack> => {
    const pieces = chunks.flatMap((part) => part.tracks.filter((one) => one.folder === folder))
    const [first] = pieces
    return first === undefined
      ? []
      : [{ folder, track: first.track, init: initName, segments: pieces.flatMap(({ segments }) => segments) }]
  })
  return { uploadedTracks, chunks } satisfies AssembledStream
})
