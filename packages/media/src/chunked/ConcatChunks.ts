/**
 * Makes one stream of a film whose parts are all in their places: nothing is encoded, only playlists, sprites and, where
 * wanted, files for download are made. Doing it again writes the same bytes under the same names.
 */
import type { EncodingPlan } from "../encode/EncodingPlan.ts"
import { TransientError } from "@armoricore/domain/Errors"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { mapDiskErrors, ScratchDir } from "@armoricore/ffmpeg/ScratchDir"
import { Clock, Duration, Effect, FileSystem, Path } from "effect"
import type { PublishOutcome } from "../pipeline/VersionPublisher.ts"
import { failure } from "../pipeline/Failures.ts"
import * as FfmpegCommand from "../encode/FfmpegCommand.ts"
import * as SegmentDownloader from "../packaging/SegmentDownloader.ts"
import * as MediaRecord from "../record/MediaRecord.ts"
import * as Mp4Files from "../packaging/Mp4Files.ts"
import * as StillImages from "../packaging/StillImages.ts"
import * as SegmentUploader from "../packaging/SegmentUploader.ts"
import * as StreamPublisher from "../packaging/StreamPublisher.ts"
import { defaultMinFreeDisk, mp4Renditions } from "../pipeline/TranscodeOptions.ts"
import { assemble } from "./AssembledStream.ts"
import * as ChunkCommand from "./ChunkCommand.ts"
import * as ChunkedEncodes from "./ChunkedEncodes.ts"
import * as ChunkImages from "./ChunkImages.ts"
import * as ProvisionalChunkPlaylist from "./ProvisionalChunkPlaylist.ts"
import { uploadEvent, type ChunkContext, stagingPrefix } from "./ChunkContext.ts"

export interface ConcatRequest {
  readonly mediaId: string
  readonly version: string
}

export const concat = (shared: ChunkContext) => {
  const { publisher, encodes, options, record } = shared
  const { bucket } = options
  const superseded: PublishOutcome = { _tag: "Superseded" }

  /** A try before this one published and could not tell. */
  const findPublished = Effect.fnUntraced(function* ({ mediaId, version }: ConcatRequest) {
    const state = yield* record.find(mediaId)
    const isOurs = state?.version?.prefix === `media/${mediaId}/${version}/`
    return isOurs && state.ready !== undefined && state.deleted_at === undefined ? state.ready : undefined
  })

  /** Thumbnails, poster and sprites, as one run over the film would have left them in the folder. */
  const downloadImages = Effect.fnUntraced(function* (
    plan: EncodingPlan,
    parts: ReadonlyArray<ChunkedEncodes.ChunkOutput>,
    to: string,
  ) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    for (const name of [...FfmpegCommand.stillImageFolders, ChunkImages.tileFolder]) {
      yield* mapDiskErrors(fs.makeDirectory(path.join(to, name), { recursive: true }))
    }
    const found = parts.flatMap((part) => part.images.map((name) => ({ name, key: `${part.staging}${name}` })))
    yield* Effect.forEach(
      found,
      ({ key, name }) => SegmentDownloader.downloadObject(bucket, key, path.join(to, name)),
      {
        concurrency: 8,
        discard: true,
      },
    )
    // The publisher leaves out the first where there are more: it is a film's first frame, which few want to see.
    const [first] = found.filter(({ name }) => name.startsWith("thumbnails/"))
    if (first !== undefined) {
      yield* mapDiskErrors(fs.copyFile(path.join(to, first.name), path.join(to, "thumbnails/00.jpg")))
    }
    if (!found.some(({ name }) => name.startsWith(ChunkImages.tileFolder))) return
    const ended = yield* Ffmpeg.run({
      args: ChunkCommand.spriteCommand(plan),
      cwd: to,
      onProgress: () => Effect.void,
      stallTimeout: Duration.minutes(1),
      timeout: Duration.minutes(10),
    })
    if (ended.code !== 0) {
      const message = `the pictures for seeking could not be put on sprites: ${ended.stderr.trim()}`
      return yield* new TransientError({ dependency: "ffmpeg", code: "failed", message })
    }
  })

  return Effect.fn("JoinParts.join")(function* (request: ConcatRequest) {
    const { mediaId, version } = request
    const before = yield* findPublished(request)
    if (before !== undefined) return { _tag: "Ready", ready: before, playableEvent: undefined } satisfies PublishOutcome
    const job = yield* encodes.find(version)
    if (job === undefined || job.aborted === true) return superseded
    const started = yield* Clock.currentTimeMillis
    const plan = job.plan
    const { attempt } = job
    if (MediaRecord.isSuperseded(yield* record.find(mediaId), attempt)) {
      yield* publisher.removeStale([attempt.prefix])
      return superseded
    }
    const { chunks, uploadedTracks } = yield* assemble(encodes, version, job, job.completed)
    if (chunks.length < ChunkedEncodes.chunkNames(job).length) {
      const message = `parts of ${mediaId} that were done are not known any more`
      return yield* new TransientError({ dependency: "state", code: "object_missing", message })
    }
    yield* checkNoGaps(job, chunks)

    const to = yield* Effect.flatMap(ScratchDir, ({ make }) => make)
    yield* downloadImages(plan, chunks, to)
    const objects = new Map(
      chunks.flatMap((part) =>
        part.tracks.flatMap(({ folder, init_bytes, segments }) => [
          [`${attempt.prefix}${folder}/${SegmentUploader.initName}`, init_bytes] as const,
          ...segments.map(({ bytes, name }) => [`${attempt.prefix}${folder}/${name}`, bytes] as const),
        ]),
      ),
    )
    const wanted = mp4Renditions(options, plan)
    const minFreeDisk = options.minFreeDisk ?? defaultMinFreeDisk
    if (wanted.length > 0) {
      yield* SegmentDownloader.download({
        bucket,
        prefix: attempt.prefix,
        to,
        uploadedTracks,
        renditions: wanted,
        minFreeDisk,
      })
    }
    const timeout = Duration.seconds(300 + plan.info.duration)
    const mp4 =
      wanted.length === 0
        ? {}
        : yield* Mp4Files.make({ from: to, uploadedTracks, renditions: wanted, timeout, minFreeDisk })
    const audioOnly = options.audioOnly ?? true
    const retryWhileUnavailable = SegmentUploader.retryWhileUnavailable(options.publishTimeout ?? Duration.minutes(5))
    const target = { bucket, prefix: attempt.prefix, concurrency: options.uploadConcurrency ?? 4 }
    const stream = yield* retryWhileUnavailable(
      Effect.gen(function* () {
        const put = yield* StillImages.upload({ ...target, from: to })
        return yield* StreamPublisher.publish(
          plan,
          { uploadedTracks, objects, stillImages: put },
          { ...target, audioOnly, mp4 },
        )
      }),
    ).pipe(publisher.unlessSuperseded(mediaId, attempt))
    if (stream === undefined) return superseded
    const isPlayablePublished = (yield* record.find(mediaId))?.playable_prefix === attempt.prefix
    if (isPlayablePublished)
      yield* retryWhileUnavailable(ProvisionalChunkPlaylist.finalize(bucket, attempt.prefix, stream, audioOnly))
    const now = yield* Clock.currentTimeMillis
    const outcome = yield* publisher.publish({
      event: uploadEvent(job),
      attempt,
      stream,
      info: plan.info,
      bytes: job.source.size,
      timings: { ...job.timings, transcoding: started - job.started_at, publishing: now - started },
      isPlayablePublished,
    })
    yield* publisher.removeStale([stagingPrefix(attempt.prefix)])
    yield* encodes.remove(version, job).pipe(
      // They expire by themselves.
      Effect.catch((error) => Effect.logDebug("the records of a job were not removed", { error })),
    )
    return outcome
  }, Effect.scoped)
}

/** A source may end before it said it would, but not go on behind that. */
const checkNoGaps = (job: ChunkedEncodes.ChunkedEncode, parts: ReadonlyArray<ChunkedEncodes.ChunkOutput>) => {
  const [main] = job.plan.renditions
  const { den, num } = job.plan.frameRate
  const lengths = job.windows.map((window, index) => {
    const folder = parts[index]?.tracks.find((one) => one.folder === main?.name)
    const seconds = (folder?.segments ?? []).reduce((total, one) => total + one.seconds, 0)
    return { seconds, missing: window.frames === undefined ? 0 : window.frames - Math.round((seconds * num) / den) }
  })
  const short = lengths.findIndex(({ missing }) => missing !== 0)
  return short !== -1 && lengths.slice(short + 1).some(({ seconds }) => seconds > 0)
    ? Effect.fail(failure("corrupt_media", "there is a hole in it"))
    : Effect.void
}
