/**
 * Makes one stream of a film whose parts are all in their places: nothing is encoded, only playlists, sprites and, where
 * wanted, files for download are made. Doing it again writes the same bytes under the same names.
 */
import { TransientError } from "@armoricore/domain/Errors"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { diskTrouble, WorkFolder } from "@armoricore/ffmpeg/WorkFolder"
import { Clock, Duration, Effect, FileSystem, Path } from "effect"
import type { Outcome } from "../Completion.ts"
import { failure } from "../Failures.ts"
import * as FfmpegCommand from "../FfmpegCommand.ts"
import * as LocalParts from "../LocalParts.ts"
import * as MediaRecord from "../MediaRecord.ts"
import * as Mp4Files from "../Mp4Files.ts"
import * as Pictures from "../Pictures.ts"
import * as PlanRecord from "../PlanRecord.ts"
import * as SegmentUploader from "../SegmentUploader.ts"
import * as StreamPublisher from "../StreamPublisher.ts"
import { defaultFreeDisk, mp4Of } from "../TranscodeOptions.ts"
import { assembled } from "./Assembled.ts"
import * as ChunkCommand from "./ChunkCommand.ts"
import * as ChunkJobs from "./ChunkJobs.ts"
import * as ChunkPictures from "./ChunkPictures.ts"
import * as PlayableParts from "./PlayableParts.ts"
import { eventOf, type Shared, stagingOf } from "./Shared.ts"

export interface Request {
  readonly mediaId: string
  readonly version: string
}

export const join = (shared: Shared) => {
  const { completion, jobs, options, record } = shared
  const { bucket } = options
  const superseded: Outcome = { _tag: "Superseded" }

  /** A try before this one published and could not tell. */
  const published = Effect.fnUntraced(function* ({ mediaId, version }: Request) {
    const state = yield* record.find(mediaId)
    const isOurs = state?.version?.prefix === `media/${mediaId}/${version}/`
    return isOurs && state.ready !== undefined && state.deleted_at === undefined ? state.ready : undefined
  })

  /** Thumbnails, poster and sprites, as one run over the film would have left them in the folder. */
  const pictures = Effect.fnUntraced(function* (
    plan: FfmpegCommand.Plan,
    parts: ReadonlyArray<ChunkJobs.Part>,
    to: string,
  ) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    for (const name of [...FfmpegCommand.pictureFolders, ChunkPictures.tileFolder]) {
      yield* diskTrouble(fs.makeDirectory(path.join(to, name), { recursive: true }))
    }
    const found = parts.flatMap((part) => part.pictures.map((name) => ({ name, key: `${part.staging}${name}` })))
    yield* Effect.forEach(found, ({ key, name }) => LocalParts.fetchObject(bucket, key, path.join(to, name)), {
      concurrency: 8,
      discard: true,
    })
    // The publisher leaves out the first where there are more: it is a film's first frame, which few want to see.
    const [first] = found.filter(({ name }) => name.startsWith("thumbnails/"))
    if (first !== undefined) {
      yield* diskTrouble(fs.copyFile(path.join(to, first.name), path.join(to, "thumbnails/00.jpg")))
    }
    if (!found.some(({ name }) => name.startsWith(ChunkPictures.tileFolder))) return
    const ended = yield* Ffmpeg.run({
      args: ChunkCommand.spriteCommand(plan),
      cwd: to,
      onProgress: () => Effect.void,
      stuckAfter: Duration.minutes(1),
      limit: Duration.minutes(10),
    })
    if (ended.code !== 0) {
      const message = `the pictures for seeking could not be put on sprites: ${ended.stderr.trim()}`
      return yield* new TransientError({ dependency: "ffmpeg", code: "failed", message })
    }
  })

  return Effect.fn("JoinParts.join")(function* (request: Request) {
    const { mediaId, version } = request
    const before = yield* published(request)
    if (before !== undefined) return { _tag: "Ready", ready: before, playable: undefined } satisfies Outcome
    const job = yield* jobs.find(version)
    if (job === undefined || job.ended === true) return superseded
    const started = yield* Clock.currentTimeMillis
    const plan = PlanRecord.fromRecord(job.plan)
    const { attempt } = job
    if (MediaRecord.isOvertaken(yield* record.find(mediaId), attempt)) {
      yield* completion.cleaned([attempt.prefix])
      return superseded
    }
    const { parts, uploaded } = yield* assembled(jobs, version, job, job.done)
    if (parts.length < ChunkJobs.partsOf(job).length) {
      const message = `parts of ${mediaId} that were done are not known any more`
      return yield* new TransientError({ dependency: "state", code: "lost", message })
    }
    yield* checkOrder(job, parts)

    const to = yield* Effect.flatMap(WorkFolder, ({ make }) => make)
    yield* pictures(plan, parts, to)
    const objects = new Map(
      parts.flatMap((part) =>
        part.folders.flatMap(({ folder, initBytes, segments }) => [
          [`${attempt.prefix}${folder}/${SegmentUploader.initName}`, initBytes] as const,
          ...segments.map(({ bytes, name }) => [`${attempt.prefix}${folder}/${name}`, bytes] as const),
        ]),
      ),
    )
    const wanted = mp4Of(options, plan)
    const freeDisk = options.freeDisk ?? defaultFreeDisk
    if (wanted.length > 0) {
      yield* LocalParts.fetch({ bucket, prefix: attempt.prefix, to, uploaded, renditions: wanted, freeDisk })
    }
    const limit = Duration.seconds(300 + plan.info.duration)
    const mp4 =
      wanted.length === 0 ? {} : yield* Mp4Files.make({ from: to, uploaded, renditions: wanted, limit, freeDisk })
    const audioOnly = options.audioOnly ?? true
    const patient = SegmentUploader.whileStorageIsAway(options.publishPatience ?? Duration.minutes(5))
    const target = { bucket, prefix: attempt.prefix, concurrency: options.uploads ?? 4 }
    const made = yield* patient(
      Effect.gen(function* () {
        const put = yield* Pictures.put({ ...target, from: to })
        return yield* StreamPublisher.publish(plan, { uploaded, objects, pictures: put }, { ...target, audioOnly, mp4 })
      }),
    ).pipe(completion.unlessOvertaken(mediaId, attempt))
    if (made === undefined) return superseded
    const isTold = (yield* record.find(mediaId))?.playable_prefix === attempt.prefix
    if (isTold) yield* patient(PlayableParts.finish(bucket, attempt.prefix, made, audioOnly))
    const now = yield* Clock.currentTimeMillis
    const outcome = yield* completion.publish({
      event: eventOf(job),
      attempt,
      made,
      info: plan.info,
      bytes: job.source.size,
      timings: { ...job.timings, transcoding: started - job.started, publishing: now - started },
      isTold,
    })
    yield* completion.cleaned([stagingOf(attempt.prefix)])
    yield* jobs.remove(version, job).pipe(
      // They expire by themselves.
      Effect.catch((error) => Effect.logDebug("the records of a job were not removed", { error })),
    )
    return outcome
  }, Effect.scoped)
}

/** A source may end before it said it would, but not go on behind that. */
const checkOrder = (job: ChunkJobs.Job, parts: ReadonlyArray<ChunkJobs.Part>) => {
  const [main] = job.plan.renditions
  const { den, num } = job.plan.frameRate
  const lengths = job.windows.map((window, index) => {
    const folder = parts[index]?.folders.find((one) => one.folder === main?.name)
    const seconds = (folder?.segments ?? []).reduce((total, one) => total + one.seconds, 0)
    return { seconds, missing: window.frames === undefined ? 0 : window.frames - Math.round((seconds * num) / den) }
  })
  const short = lengths.findIndex(({ missing }) => missing !== 0)
  return short !== -1 && lengths.slice(short + 1).some(({ seconds }) => seconds > 0)
    ? Effect.fail(failure("corrupt_media", "there is a hole in it"))
    : Effect.void
}
