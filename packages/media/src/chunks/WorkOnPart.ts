/**
 * One part of a film from its message to its place: made anew, or taken from where it was made before, recorded, copied
 * to where the playlists look for it, and counted.
 *
 *     staged ──record (first wins)──▶ recorded ──copy──▶ in place ──count──▶ done
 *
 * - A crash anywhere repeats what is behind the last step that was recorded. Copies of one record are the same bytes
 *   under the same names, so that it harms nobody to make them twice, or late.
 * - A job that was cancelled, failed, deleted or overtaken stops its parts within two seconds, wherever they run.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Duration, Effect } from "effect"
import * as Announcement from "../Announcement.ts"
import * as MediaRecord from "../MediaRecord.ts"
import { defaultFreeDisk, defaultMemory } from "../TranscodeOptions.ts"
import * as ChunkJobs from "./ChunkJobs.ts"
import * as PlanRecord from "../PlanRecord.ts"
import { encode } from "./EncodeChunk.ts"
import * as GrowingSound from "./GrowingSound.ts"
import * as PartObjects from "./PartObjects.ts"
import * as PlayableParts from "./PlayableParts.ts"
import { eventOf, type Shared, stagingOf } from "./Shared.ts"

export interface Request {
  readonly mediaId: string
  readonly version: string
  readonly part: string
  /** The claim's; it grows with each owner of the part. */
  readonly token: number
  /** Percent over the whole job, 0 to 100. */
  readonly onProgress: (percent: number) => Effect.Effect<void>
  readonly announce: Announcement.Announce
}

export type Outcome =
  /** `isLast`: nothing is missing, and somebody must join it. */
  | { readonly _tag: "Done"; readonly isLast: boolean }
  /** Nobody wants it any more. */
  | { readonly _tag: "Stopped" }

const stopped: Outcome = { _tag: "Stopped" }
/** How often a part looks whether it is still wanted. */
const watch = Duration.seconds(2)

export const work = (shared: Shared) => {
  const { completion, jobs, options, record } = shared
  const objects = PartObjects.make(shared)

  const isWanted = Effect.fnUntraced(function* (request: Request) {
    const job = yield* jobs.find(request.version)
    if (job === undefined || job.ended === true) return undefined
    const state = yield* record.find(request.mediaId)
    return MediaRecord.isOvertaken(state, job.attempt) ? undefined : { job, percent: state?.percent ?? 0 }
  })

  const make = Effect.fnUntraced(function* (
    job: ChunkJobs.Job,
    request: Request,
    told: (own: number) => Effect.Effect<void>,
  ) {
    const { part, token, version } = request
    const recorded = yield* jobs.part(version, part)
    if (recorded !== undefined) return { part: recorded, placed: new Set<string>(), isTold: false }
    const staging = `${stagingOf(job.attempt.prefix)}${part}-${token}/`
    const sound = part === ChunkJobs.soundPart ? GrowingSound.make(shared, objects, job, request, staging) : undefined
    const kept = job.reuse === undefined ? undefined : yield* takeOver(job.reuse, part, staging)
    const encoded = kept ?? (yield* encodeAnew(job, part, staging, told, sound))
    const made = sound === undefined ? encoded : yield* sound.settled(encoded)
    const inits = Object.fromEntries(made.folders.map(({ folder, init }) => [folder, init]))
    if (!(yield* jobs.agree(version, inits))) {
      yield* completion.cleaned([staging])
      return yield* new TransientError({
        dependency: "ffmpeg",
        code: "unlike",
        message: "the ffmpeg of this machine writes other headers than that of another; install alike ones",
      })
    }
    const first = yield* jobs.record(version, part, made)
    if (first.staging === staging) {
      return { part: first, placed: sound?.placed() ?? new Set<string>(), isTold: sound?.isTold() ?? false }
    }
    if (sound?.hasRecorded() !== true) yield* completion.cleaned([staging])
    return { part: first, placed: new Set<string>(), isTold: sound?.isTold() ?? false }
  })

  const encodeAnew = (
    job: ChunkJobs.Job,
    part: string,
    staging: string,
    told: (own: number) => Effect.Effect<void>,
    sound: GrowingSound.GrowingSound | undefined,
  ) => {
    const window = part === ChunkJobs.soundPart ? undefined : job.windows[Number(part)]
    const seconds = secondsOf(job, part)
    const plan = PlanRecord.fromRecord(job.plan)
    return encode({
      plan,
      window,
      source: job.source,
      bucket: options.bucket,
      staging,
      uploads: options.uploads ?? 4,
      stuckAfter: options.stuckAfter ?? Duration.minutes(1),
      limit: Duration.seconds(300 + seconds * (options.secondsPerSecond ?? 30)),
      memory: options.memory ?? defaultMemory,
      publishPatience: options.publishPatience ?? Duration.minutes(5),
      maxOutput: options.maxOutput,
      freeDisk: (options.freeDisk ?? defaultFreeDisk) / 2,
      onProgress: (made) => told(Math.min(1, made / (window === undefined ? plan.info.duration : seconds))),
      onGrown: sound?.look,
    })
  }

  /** What an earlier job made of the same; undefined where something of it is gone. */
  const takeOver = Effect.fnUntraced(function* (version: string, name: string, staging: string) {
    const part = yield* jobs.part(version, name)
    if (part === undefined) return undefined
    const all = [
      ...PartObjects.objectsOf(part).map((one) => ({ name: one.name })),
      ...part.pictures.map((name) => ({ name })),
    ]
    return (yield* objects.copy(all, part.staging, staging)) ? { ...part, staging } : undefined
  })

  return Effect.fn("WorkOnPart.work")(function* (request: Request) {
    const { onProgress, part, version } = request
    const wanted = yield* isWanted(request)
    if (wanted === undefined) return stopped
    const { job } = wanted
    const event = eventOf(job)
    const prefix = job.attempt.prefix
    const total = sum(ChunkJobs.partsOf(job), job)
    let { done } = job
    let { percent } = wanted
    let kept = percent

    const told = (own: number) =>
      Effect.gen(function* () {
        const fraction = (sum(done, job) + own * secondsOf(job, part)) / total
        // Others are at work too: nobody sees it go back.
        percent = Math.max(percent, Math.round((10 + 84 * Math.min(1, fraction)) * 10) / 10)
        yield* onProgress(percent)
        if (percent - kept < 1) return
        kept = percent
        yield* record.progress(event, "transcoding", percent)
      }).pipe(Effect.catch((error) => Effect.logDebug("progress was not recorded", { error })))

    const watching = Effect.gen(function* () {
      for (;;) {
        yield* Effect.sleep(watch)
        const now = yield* Effect.option(isWanted(request))
        if (now._tag === "None") continue
        if (now.value === undefined) return undefined
        done = now.value.job.done
        percent = Math.max(percent, now.value.percent)
      }
    })
    const made = yield* Effect.raceFirst(make(job, request, told), watching)
    if (made === undefined) {
      yield* completion.cleaned([`${stagingOf(prefix)}${part}-${request.token}/`])
      return stopped
    }
    if (!(yield* objects.place(job, made.part, made.placed))) {
      yield* jobs.forget(version, part)
      return yield* new TransientError({
        dependency: "storage",
        code: "lost",
        message: `something of part ${part} of ${request.mediaId} is gone and must be made again`,
      })
    }
    const doneNow = yield* jobs.done(version, part)
    if (doneNow === undefined) return stopped
    done = doneNow
    yield* told(0)
    yield* PlayableParts.update(shared, made.isTold ? { ...request, announce: undefined } : request, doneNow)
    const all = ChunkJobs.partsOf(job)
    return { _tag: "Done", isLast: all.every((one) => doneNow.includes(one)) } satisfies Outcome
  })
}

/** Encoding sound is quick. */
const soundWeight = 0.03

const secondsOf = ({ plan, windows }: ChunkJobs.Job, part: string): number => {
  if (part === ChunkJobs.soundPart) return plan.info.duration * soundWeight
  const window = windows[Number(part)]
  if (window === undefined) return 0
  const { den, num } = plan.frameRate
  return Math.max(1, window.frames === undefined ? plan.info.mainDuration - window.from : (window.frames * den) / num)
}

const sum = (parts: ReadonlyArray<string>, job: ChunkJobs.Job): number =>
  parts.reduce((total, part) => total + secondsOf(job, part), 0)
