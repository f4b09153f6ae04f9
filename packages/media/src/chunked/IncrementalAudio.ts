/**
 * Makes what there is of a film's sound known while the rest is encoded, a step at a time: recorded (first wins), copied
 * to its place, counted, and told if that was the last thing that the beginning waited for.
 *
 * - A crash costs what comes behind the last step. Whoever encodes the sound anew goes on behind it, and keeps what was
 *   recorded instead of its own, whose bytes another machine may have made otherwise: players have it.
 * - Nothing here may cost the job: what fails is tried at the next look, and comes with the whole at the end.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Effect } from "effect"
import type { ChunkedEncode, ChunkOutput } from "./ChunkedEncodes.ts"
import { audioChunk } from "./ChunkedEncodes.ts"
import { listObjects, type ChunkObjects } from "./ChunkObjects.ts"
import * as ProvisionalChunkPlaylist from "./ProvisionalChunkPlaylist.ts"
import type { ChunkContext } from "./ChunkContext.ts"
import * as AudioCheckpoint from "./AudioCheckpoint.ts"
import type { ChunkRequest } from "./ChunkWorker.ts"

export const make = (
  shared: ChunkContext,
  objects: ChunkObjects,
  job: ChunkedEncode,
  request: ChunkRequest,
  staging: string,
) => {
  const { encodes } = shared
  const { version } = request
  const checkpoints: Array<ChunkOutput> = []
  /** Others may have recorded steps before us. */
  let mayHaveRecorded = true
  let isPlayablePublished = false
  let hasRecordedCheckpoints = false

  const record = Effect.fnUntraced(function* (name: string, tracks: AudioCheckpoint.AudioTracks) {
    const inits = Object.fromEntries(tracks.map(({ folder, init_hash }) => [folder, init_hash]))
    // Whoever encodes it as a whole says what is wrong then; and whoever was faster with the whole needs no steps.
    if (
      !(yield* encodes.pinInitSegments(version, inits)) ||
      (yield* encodes.findOutput(version, audioChunk)) !== undefined
    )
      return undefined
    hasRecordedCheckpoints = true
    return yield* encodes.recordOutput(version, name, { staging, tracks, images: [] })
  })

  const look = Effect.fnUntraced(function* (sound: AudioCheckpoint.AudioTracks) {
    for (;;) {
      const name = AudioCheckpoint.checkpointName(checkpoints.length)
      const own = AudioCheckpoint.nextCheckpoint(
        job,
        sound,
        checkpoints.map(({ tracks }) => tracks),
      )
      if (own === undefined && !mayHaveRecorded) return
      const known = yield* encodes.findOutput(version, name)
      mayHaveRecorded = known !== undefined
      const step = known ?? (own === undefined ? undefined : yield* record(name, own))
      if (step === undefined) return
      if (!job.completed.includes(name) && !(yield* objects.promote(job, step))) {
        yield* encodes.discardOutput(version, name)
        return
      }
      const done = yield* encodes.markCompleted(version, name)
      if (done === undefined) return
      checkpoints.push(step)
      yield* ProvisionalChunkPlaylist.update(shared, { ...request, chunk: name }, done)
      isPlayablePublished = true
    }
  })

  return {
    /** Never fails. */
    publishCheckpoints: (sound: AudioCheckpoint.AudioTracks) =>
      Effect.catch(look(sound), (error) => Effect.logDebug("the sound so far was not made known", { error })),
    /** Whether whoever finishes the sound need not tell that it can be played. */
    isPlayablePublished: () => isPlayablePublished,
    /** Whether steps may lie in our folder. */
    hasRecordedCheckpoints: () => hasRecordedCheckpoints,
    /** Names of what lies in its place already, and is what `settled` says it is. */
    promoted: (): ReadonlySet<string> =>
      new Set(checkpoints.flatMap((checkpoint) => listObjects(checkpoint).map(({ name }) => name))),
    /** The whole sound, as we encoded it but for what was recorded by others. */
    mergeRecorded: Effect.fnUntraced(function* (made: ChunkOutput) {
      let { tracks } = made
      for (let index = 0; ; index++) {
        const name = AudioCheckpoint.checkpointName(index)
        const step = checkpoints[index] ?? (yield* encodes.findOutput(version, name))
        if (step === undefined) return { ...made, tracks }
        if (step.staging === staging) continue
        const joined = tracks.map((whole) => mergeCheckpoint(whole, step))
        if (!joined.every((one) => one !== undefined)) {
          return yield* new TransientError({
            dependency: "ffmpeg",
            code: "encoder_mismatch",
            message: "the ffmpeg of this machine cuts sound otherwise than that of another; install alike ones",
          })
        }
        if (!(yield* objects.copy(listObjects(step), step.staging, staging))) {
          yield* encodes.discardOutput(version, name)
          return yield* new TransientError({
            dependency: "storage",
            code: "object_missing",
            message: `the beginning of the sound of ${request.mediaId} is gone and must be made again`,
          })
        }
        tracks = joined
      }
    }),
  }
}
export type IncrementalAudio = ReturnType<typeof make>

type AudioTrackOutput = AudioCheckpoint.AudioTracks[number]

/** Undefined where the step's segments are not as long as ours. */
const mergeCheckpoint = (whole: AudioTrackOutput, checkpoint: ChunkOutput): AudioTrackOutput | undefined => {
  const known = new Map(
    checkpoint.tracks.find(({ folder }) => folder === whole.folder)?.segments.map((one) => [one.name, one]),
  )
  const isAlike = whole.segments.every(({ name, seconds }) => (known.get(name)?.seconds ?? seconds) === seconds)
  return isAlike ? { ...whole, segments: whole.segments.map((one) => known.get(one.name) ?? one) } : undefined
}
