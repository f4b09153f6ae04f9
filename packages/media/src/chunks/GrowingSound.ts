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
import type { Job, Part } from "./ChunkJobs.ts"
import { soundPart } from "./ChunkJobs.ts"
import { objectsOf, type PartObjects } from "./PartObjects.ts"
import * as PlayableParts from "./PlayableParts.ts"
import type { Shared } from "./Shared.ts"
import * as SoundSteps from "./SoundSteps.ts"
import type { Request } from "./WorkOnPart.ts"

export const make = (shared: Shared, objects: PartObjects, job: Job, request: Request, staging: string) => {
  const { jobs } = shared
  const { version } = request
  const steps: Array<Part> = []
  /** Others may have recorded steps before us. */
  let mayBeKnown = true
  let isTold = false
  let hasRecorded = false

  const record = Effect.fnUntraced(function* (name: string, folders: SoundSteps.Folders) {
    const inits = Object.fromEntries(folders.map(({ folder, init }) => [folder, init]))
    // Whoever encodes it as a whole says what is wrong then; and whoever was faster with the whole needs no steps.
    if (!(yield* jobs.agree(version, inits)) || (yield* jobs.part(version, soundPart)) !== undefined) return undefined
    hasRecorded = true
    return yield* jobs.record(version, name, { staging, folders, pictures: [] })
  })

  const look = Effect.fnUntraced(function* (sound: SoundSteps.Folders) {
    for (;;) {
      const name = SoundSteps.stepName(steps.length)
      const own = SoundSteps.next(
        job,
        sound,
        steps.map(({ folders }) => folders),
      )
      if (own === undefined && !mayBeKnown) return
      const known = yield* jobs.part(version, name)
      mayBeKnown = known !== undefined
      const step = known ?? (own === undefined ? undefined : yield* record(name, own))
      if (step === undefined) return
      if (!job.done.includes(name) && !(yield* objects.place(job, step))) {
        yield* jobs.forget(version, name)
        return
      }
      const done = yield* jobs.done(version, name)
      if (done === undefined) return
      steps.push(step)
      yield* PlayableParts.update(shared, { ...request, part: name }, done)
      isTold = true
    }
  })

  return {
    /** Never fails. */
    look: (sound: SoundSteps.Folders) =>
      Effect.catch(look(sound), (error) => Effect.logDebug("the sound so far was not made known", { error })),
    /** Whether whoever finishes the sound need not tell that it can be played. */
    isTold: () => isTold,
    /** Whether steps may lie in our folder. */
    hasRecorded: () => hasRecorded,
    /** Names of what lies in its place already, and is what `settled` says it is. */
    placed: (): ReadonlySet<string> => new Set(steps.flatMap((step) => objectsOf(step).map(({ name }) => name))),
    /** The whole sound, as we encoded it but for what was recorded by others. */
    settled: Effect.fnUntraced(function* (made: Part) {
      let { folders } = made
      for (let index = 0; ; index++) {
        const name = SoundSteps.stepName(index)
        const step = steps[index] ?? (yield* jobs.part(version, name))
        if (step === undefined) return { ...made, folders }
        if (step.staging === staging) continue
        const joined = folders.map((whole) => withStep(whole, step))
        if (!joined.every((one) => one !== undefined)) {
          return yield* new TransientError({
            dependency: "ffmpeg",
            code: "unlike",
            message: "the ffmpeg of this machine cuts sound otherwise than that of another; install alike ones",
          })
        }
        if (!(yield* objects.copy(objectsOf(step), step.staging, staging))) {
          yield* jobs.forget(version, name)
          return yield* new TransientError({
            dependency: "storage",
            code: "lost",
            message: `the beginning of the sound of ${request.mediaId} is gone and must be made again`,
          })
        }
        folders = joined
      }
    }),
  }
}
export type GrowingSound = ReturnType<typeof make>

type Folder = SoundSteps.Folders[number]

/** Undefined where the step's segments are not as long as ours. */
const withStep = (whole: Folder, step: Part): Folder | undefined => {
  const known = new Map(
    step.folders.find(({ folder }) => folder === whole.folder)?.segments.map((one) => [one.name, one]),
  )
  const isAlike = whole.segments.every(({ name, seconds }) => (known.get(name)?.seconds ?? seconds) === seconds)
  return isAlike ? { ...whole, segments: whole.segments.map((one) => known.get(one.name) ?? one) } : undefined
}
