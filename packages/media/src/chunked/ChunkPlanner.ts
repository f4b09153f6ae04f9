/**
 * Decides whether an upload is made in parts, and hands out which. Nothing of it is encoded here and nothing is waited
 * for: the slot is free again at once, and whoever does the last part has it joined.
 */
import type { EventOf } from "@armoricore/domain/EventRegistry"
import type { MediaAttempt } from "@armoricore/domain/MediaState"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir"
import { type PermanentError, TransientError } from "@armoricore/domain/Errors"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { loopbackRestrictions } from "@armoricore/ffmpeg/InputRestrictions"
import { Clock, Effect, Equal } from "effect"
import { defaultInputLimits, probe } from "../probe/Probe.ts"
import type { MediaInfo } from "../probe/MediaInfo.ts"
import { locate } from "../probe/Source.ts"
import { planEncoding } from "../pipeline/TranscodeOptions.ts"
import * as ChunkedEncodes from "./ChunkedEncodes.ts"
import * as ChunkWindow from "./ChunkWindow.ts"
import { type ChunkContext, versionFromPrefix } from "./ChunkContext.ts"
import * as RangeProxy from "./RangeProxy.ts"

export interface ChunkedUpload {
  readonly _tag: "Chunked"
  readonly version: string
  /** In the order in which they are wanted. */
  readonly chunks: ReadonlyArray<string>
}

/** What is smaller is never long enough to be worth the look. */
const minBytesPerSecond = 4_000

/** Undefined where it is made in one run. `charge` is called once its size is known. */
export const planChunks = Effect.fn("BeginJob.begin")(function* <E>(
  { encodes, options, record }: ChunkContext,
  event: EventOf<"media.uploaded">,
  attempt: MediaAttempt,
  charge: (of: { readonly bytes: number; readonly seconds: number }) => Effect.Effect<void, E>,
) {
  const { chunks } = options
  if (chunks === undefined) return undefined
  const limits = options.limits ?? defaultInputLimits
  const { bucket, etag, key, size } = yield* locate({
    filePath: event.payload.file_path,
    buckets: options.sourceBuckets,
    bytes: limits.maxBytes,
  })
  const started_at = yield* Clock.currentTimeMillis
  const source = { bucket, key, size, etag }
  if (size < chunks.minDuration * minBytesPerSecond) return undefined
  const info = yield* probeRemote(source, limits, chunks)
  if (info === undefined) return undefined
  const programs = yield* FfmpegPrograms
  const plan = planEncoding(options, info, programs.toneMapping)
  yield* charge({ bytes: size, seconds: info.duration })

  const windows = ChunkWindow.planWindows(info, plan.frameRate, chunks.chunkSeconds)
  const earlier = ((yield* record.find(event.payload.media_id))?.attempts ?? [])
    .map(({ prefix }) => versionFromPrefix(prefix))
    .filter((version) => version !== versionFromPrefix(attempt.prefix))
    .reverse()
  const reusable = yield* Effect.findFirst(earlier, (version) =>
    Effect.map(
      encodes.find(version),
      (job) =>
        job !== undefined &&
        job.completed.length > 0 &&
        Equal.equals(job.source, source) &&
        job.plan.isSameAs(plan) &&
        Equal.equals(job.windows, windows),
    ),
  )
  const version = versionFromPrefix(attempt.prefix)
  const job: ChunkedEncodes.ChunkedEncode = {
    source_event_id: event.event_id,
    upload: event.payload,
    attempt,
    source,
    plan,
    windows,
    completed: [],
    init_hashes: {},
    timings: { probing: (yield* Clock.currentTimeMillis) - started_at },
    started_at,
    ...(reusable._tag === "None" ? {} : { reuse_version: reusable.value }),
  }
  yield* encodes.create(version, job)
  return { _tag: "Chunked", version, chunks: ChunkedEncodes.chunkNames(job) } satisfies ChunkedUpload
})

/** Bytes that may be read in a row to find out what it is: the index of half a day, or a share of a small file. */
const maxProbeBytes = ({ size }: RangeProxy.SourceObject): number => Math.max(32e6, Math.min(100e6, size / 4))

/**
 * Undefined where one run over a copy of it is to be made, also to tell what is wrong with it. Recordings that were
 * written as a stream have no index: every part would read all that lies before it.
 */
const probeRemote = Effect.fnUntraced(function* (
  source: RangeProxy.SourceObject,
  limits: typeof defaultInputLimits,
  chunks: ChunkWindow.ChunkOptions,
) {
  const folder = yield* Effect.flatMap(ScratchDir, ({ make }) => make)
  const reader = yield* RangeProxy.open(source)
  const maxBytes = maxProbeBytes(source)
  const exceedsLimit = () => reader.longestRead() > maxBytes || reader.bytesServed() > 2 * maxBytes
  const probed: Effect.Effect<
    MediaInfo | undefined,
    TransientError | PermanentError,
    Effect.Services<ReturnType<typeof probe>>
  > = probe({ url: reader.url }, source.size, folder, limits)
  const found = Effect.gen(function* () {
    const info = yield* Effect.catchTag(probed, "PermanentError", () => Effect.undefined)
    if (info === undefined || !ChunkWindow.shouldChunk(info, chunks)) return undefined
    return (yield* isSeekable(info, reader.url, folder)) ? info : undefined
  })
  const watched = Effect.sleep("50 millis").pipe(Effect.repeat({ until: exceedsLimit }), Effect.as(undefined))
  const info = yield* Effect.raceFirst(found, watched)
  const fault = reader.fault()
  if (fault !== undefined) return yield* Effect.fail(fault)
  return exceedsLimit() ? undefined : info
}, Effect.scoped)

/** Whether a packet of its middle can be had; what that costs is for others to say. */
const isSeekable = ({ mainDuration, video }: MediaInfo, url: string, folder: string) =>
  Ffmpeg.inspect(
    [
      ...`-v error -select_streams ${video?.index ?? 0} -read_intervals ${(mainDuration / 2).toFixed(3)}%+#1`.split(
        " ",
      ),
      ..."-show_entries packet=pts_time -of csv=p=0".split(" "),
      ...loopbackRestrictions,
      "-i",
      url,
    ],
    folder,
  ).pipe(Effect.map(({ code, stdout }) => code === 0 && stdout.trim() !== ""))
