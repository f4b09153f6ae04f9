/**
 * Decides whether an upload is made in parts, and hands out which. Nothing of it is encoded here and nothing is waited
 * for: the slot is free again at once, and whoever does the last part has it joined.
 */
import type { EventOf } from "@armoricore/domain/Events"
import type { MediaAttempt } from "@armoricore/domain/MediaState"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { WorkFolder } from "@armoricore/ffmpeg/WorkFolder"
import { type PermanentError, TransientError } from "@armoricore/domain/Errors"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { loopbackGuards } from "@armoricore/ffmpeg/InputGuards"
import { Clock, Effect, Equal } from "effect"
import { defaultLimits, type MediaInfo, probe } from "../Probe.ts"
import { locate } from "../Source.ts"
import { planOf } from "../TranscodeOptions.ts"
import * as ChunkJobs from "./ChunkJobs.ts"
import * as ChunkPlan from "./ChunkPlan.ts"
import * as PlanRecord from "../PlanRecord.ts"
import { type Shared, versionOf } from "./Shared.ts"
import * as SourceReader from "./SourceReader.ts"

export interface Chunked {
  readonly _tag: "Chunked"
  readonly version: string
  /** In the order in which they are wanted. */
  readonly parts: ReadonlyArray<string>
}

/** What is smaller is never long enough to be worth the look. */
const leastBytesASecond = 4_000

/** Undefined where it is made in one run. `charge` is called once its size is known. */
export const begin = Effect.fn("BeginJob.begin")(function* <E>(
  { jobs, options, record }: Shared,
  event: EventOf<"media.uploaded">,
  attempt: MediaAttempt,
  charge: (of: { readonly bytes: number; readonly seconds: number }) => Effect.Effect<void, E>,
) {
  const { chunks } = options
  if (chunks === undefined) return undefined
  const limits = options.limits ?? defaultLimits
  const { bucket, etag, key, size } = yield* locate({
    filePath: event.payload.file_path,
    buckets: options.sourceBuckets,
    bytes: limits.bytes,
  })
  const started = yield* Clock.currentTimeMillis
  const source = { bucket, key, size, etag }
  if (size < chunks.from * leastBytesASecond) return undefined
  const info = yield* look(source, limits, chunks)
  if (info === undefined) return undefined
  const programs = yield* FfmpegPrograms
  const plan = PlanRecord.toRecord(planOf(options, info, programs.toneMapping))
  yield* charge({ bytes: size, seconds: info.duration })

  const windows = ChunkPlan.cut(info, plan.frameRate, chunks.seconds)
  const earlier = ((yield* record.find(event.payload.media_id))?.attempts ?? [])
    .map(({ prefix }) => versionOf(prefix))
    .filter((version) => version !== versionOf(attempt.prefix))
    .reverse()
  const alike = yield* Effect.findFirst(earlier, (version) =>
    Effect.map(
      jobs.find(version),
      (job) =>
        job !== undefined &&
        job.done.length > 0 &&
        Equal.equals(job.source, source) &&
        Equal.equals(job.plan, plan) &&
        Equal.equals(job.windows, windows),
    ),
  )
  const version = versionOf(attempt.prefix)
  const job: ChunkJobs.Job = {
    cause: event.event_id,
    upload: event.payload,
    attempt,
    source,
    plan,
    windows,
    done: [],
    inits: {},
    timings: { probing: (yield* Clock.currentTimeMillis) - started },
    started,
    ...(alike._tag === "None" ? {} : { reuse: alike.value }),
  }
  yield* jobs.create(version, job)
  return { _tag: "Chunked", version, parts: ChunkJobs.partsOf(job) } satisfies Chunked
})

/** Bytes that may be read in a row to find out what it is: the index of half a day, or a share of a small file. */
const mostOf = ({ size }: SourceReader.Source): number => Math.max(32e6, Math.min(100e6, size / 4))

/**
 * Undefined where one run over a copy of it is to be made, also to tell what is wrong with it. Recordings that were
 * written as a stream have no index: every part would read all that lies before it.
 */
const look = Effect.fnUntraced(function* (
  source: SourceReader.Source,
  limits: typeof defaultLimits,
  chunks: ChunkPlan.Options,
) {
  const folder = yield* Effect.flatMap(WorkFolder, ({ make }) => make)
  const reader = yield* SourceReader.open(source)
  const most = mostOf(source)
  const tooMuch = () => reader.longest() > most || reader.bytes() > 2 * most
  const probed: Effect.Effect<
    MediaInfo | undefined,
    TransientError | PermanentError,
    Effect.Services<ReturnType<typeof probe>>
  > = probe({ url: reader.url }, source.size, folder, limits)
  const found = Effect.gen(function* () {
    const info = yield* Effect.catchTag(probed, "PermanentError", () => Effect.undefined)
    if (info === undefined || !ChunkPlan.isChunked(info, chunks)) return undefined
    return (yield* leadsToTheMiddle(info, reader.url, folder)) ? info : undefined
  })
  const watched = Effect.sleep("50 millis").pipe(Effect.repeat({ until: tooMuch }), Effect.as(undefined))
  const info = yield* Effect.raceFirst(found, watched)
  const fault = reader.fault()
  if (fault !== undefined) return yield* Effect.fail(fault)
  return tooMuch() ? undefined : info
}, Effect.scoped)

/** Whether a packet of its middle can be had; what that costs is for others to say. */
const leadsToTheMiddle = ({ mainDuration, video }: MediaInfo, url: string, folder: string) =>
  Ffmpeg.inspect(
    [
      ...`-v error -select_streams ${video?.index ?? 0} -read_intervals ${(mainDuration / 2).toFixed(3)}%+#1`.split(
        " ",
      ),
      ..."-show_entries packet=pts_time -of csv=p=0".split(" "),
      ...loopbackGuards,
      "-i",
      url,
    ],
    folder,
  ).pipe(Effect.map(({ code, stdout }) => code === 0 && stdout.trim() !== ""))
