/**
 * Turns one upload into a stream: download → probe → plan → one ffmpeg, uploading while it runs → playlists → verify →
 * master playlist → state record.
 *
 * - Every try writes below a prefix of its own (`media/<media_id>/<version>/`), so no late worker overwrites what its
 *   successor published, and no CDN mixes two versions.
 * - The master playlist is put when everything it names is in storage and was looked at; nobody sees half a stream.
 * - The state record is written last; see `MediaRecord` for what happens when several uploads or workers meet.
 */
import { resultEventId, sha256 } from "@armoricore/domain/Causation"
import { type ConfigurationError, type PermanentError, TransientError } from "@armoricore/domain/Errors"
import type { EventOf, PayloadOf } from "@armoricore/domain/Events"
import { type ObjectRef, ObjectStorage, type StorageError } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/Playback"
import { Clock, Context, Duration, Effect, FileSystem, Layer, Path, type PlatformError, Result, Stream } from "effect"
import { ChildProcessSpawner } from "effect/process"
import { failure } from "./Failures.ts"
import * as Ffmpeg from "./Ffmpeg.ts"
import * as FfmpegCommand from "./FfmpegCommand.ts"
import { FfmpegPrograms } from "./FfmpegPrograms.ts"
import { defaultLadder, frameRate, type Ladder, plan as planLadder } from "./Ladder.ts"
import * as MasterPlaylist from "./MasterPlaylist.ts"
import * as MediaPlaylist from "./MediaPlaylist.ts"
import * as MediaRecord from "./MediaRecord.ts"
import { defaultLimits, type Limits, type MediaInfo, probe } from "./Probe.ts"
import * as SegmentUploader from "./SegmentUploader.ts"
import { WorkFolder } from "./WorkFolder.ts"

export interface Options {
  /** Where streams are written: `OBJECT_STORAGE_BUCKET`. */
  readonly bucket: string
  /** Where uploads may lie: `MEDIA_SOURCE_BUCKETS`. */
  readonly sourceBuckets: ReadonlyArray<string>
  readonly ladder?: Ladder
  readonly limits?: Limits
  /** Pictures taken at even intervals. Default 5. */
  readonly thumbnails?: number
  /** ffmpeg without progress is ended after this. Default 1 min. */
  readonly stuckAfter?: Duration.Duration
  /** Seconds that a second of the source may take, besides five minutes. Default 30. */
  readonly secondsPerSecond?: number
  /** Objects put at once. Default 4. */
  readonly uploads?: number
}

export type Outcome =
  | { readonly _tag: "Ready"; readonly ready: PayloadOf<"media.ready"> }
  /** A newer upload of this media is published already; nothing is to be told. */
  | { readonly _tag: "Superseded" }

/** Where a job stands: percent over the whole job, 0 to 100. */
export type OnProgress = (stage: MediaRecord.Stage, percent: number) => Effect.Effect<void>

export class Transcode extends Context.Service<
  Transcode,
  {
    /** `token` is the claim's; it grows with each owner of the event. `onProgress` is called a few times a second. */
    readonly transcode: (
      event: EventOf<"media.uploaded">,
      claim: { readonly token: number },
      onProgress?: OnProgress,
    ) => Effect.Effect<Outcome, TransientError | PermanentError | ConfigurationError>
    /** Notes a final failure, as it was told, and removes what its tries wrote. */
    readonly giveUp: (failed: EventOf<"media.failed">) => Effect.Effect<void, TransientError | ConfigurationError>
  }
>()("@armoricore/media/Transcode") {
  static readonly layer = (options: Options) => Layer.effect(Transcode, make(options))
}

/** Playlists of one version never change either, but a minute lets an operator withdraw one. */
const playlistCache = "public, max-age=60"
const playlistType = "application/vnd.apple.mpegurl"

const make = Effect.fnUntraced(function* (options: Options) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const storage = yield* ObjectStorage
  const playback = yield* PlaybackUrls
  const programs = yield* FfmpegPrograms
  const record = yield* MediaRecord.make
  const work = yield* WorkFolder
  const own = yield* Effect.context<
    FileSystem.FileSystem | Path.Path | ObjectStorage | FfmpegPrograms | ChildProcessSpawner.ChildProcessSpawner
  >()
  const limits = options.limits ?? defaultLimits

  const download = Effect.fnUntraced(function* (
    filePath: string,
    to: string,
    onFraction: (part: number) => Effect.Effect<void>,
  ) {
    const source = parse(filePath)
    if (!options.sourceBuckets.includes(source.bucket)) return yield* failure("unknown_bucket", source.bucket)
    const found = yield* storage
      .get(source)
      .pipe(Effect.catchTag("NotFound", () => Effect.fail(failure("source_missing"))))
    const { size } = found.info
    if (size === 0) return yield* failure("empty_file")
    if (size > limits.bytes) return yield* failure("too_large", `${size} bytes, at most ${limits.bytes}`)
    let received = 0
    const counted = Stream.tap(found.body, (chunk) => {
      received += chunk.byteLength
      return onFraction(received / size)
    })
    yield* Stream.run(counted, fs.sink(to)).pipe(Effect.catchTag("PlatformError", troubled))
    return size
  })

  const put = (key: string, body: Uint8Array, contentType: string, cacheControl: string) =>
    storage.put<never, never>({ bucket: options.bucket, key }, body, { contentType, cacheControl })

  const putThumbnails = Effect.fnUntraced(function* (folder: string, prefix: string) {
    const names = [...(yield* diskTrouble(fs.readDirectory(path.join(folder, "thumbnails"))))].sort()
    yield* Effect.forEach(
      names,
      (name) =>
        Effect.flatMap(diskTrouble(fs.readFile(path.join(folder, "thumbnails", name))), (bytes) =>
          put(`${prefix}thumbnails/${name}`, bytes, "image/jpeg", SegmentUploader.immutable),
        ),
      { concurrency: options.uploads ?? 4 },
    )
    return names.map((name) => `${prefix}thumbnails/${name}`)
  })

  /** All objects that the master playlist will lead to are there in full. */
  const verify = Effect.fnUntraced(function* (
    prefix: string,
    segments: ReadonlyMap<string, number>,
    others: ReadonlyArray<string>,
  ) {
    const sizes = new Map<string, number>()
    yield* Stream.runForEach(storage.list(options.bucket, prefix), ({ key, size }) =>
      Effect.sync(() => sizes.set(key, size)),
    )
    const missing = [...segments].find(([key, size]) => sizes.get(key) !== size)?.[0]
    if (missing !== undefined) return yield* notThere(missing)
    yield* Effect.forEach(others, (key) => head({ bucket: options.bucket, key }), { concurrency: 8, discard: true })
  })

  const head = (ref: ObjectRef) =>
    storage.head(ref).pipe(Effect.catchTag("NotFound", () => Effect.fail(notThere(ref.key))))

  const removePrefix = (prefix: string): Effect.Effect<void, StorageError> =>
    Stream.runForEach(storage.list(options.bucket, prefix), ({ key }) =>
      storage.remove({ bucket: options.bucket, key }),
    )

  const cleaned = (prefixes: ReadonlyArray<string>) =>
    Effect.forEach(prefixes, removePrefix, { discard: true }).pipe(
      // What stays behind costs space and harms nobody; the work itself is done.
      Effect.catch((error) => Effect.logWarning("objects of earlier attempts were not removed", { prefixes, error })),
    )

  const transcode = Effect.fn("Transcode.transcode")(
    function* (
      event: EventOf<"media.uploaded">,
      claim: { readonly token: number },
      onProgress: OnProgress = () => Effect.void,
    ) {
      const { payload } = event
      const version = sha256(`${event.event_id}:${claim.token}`).slice(0, 16)
      const prefix = `media/${payload.media_id}/${version}/`
      const begun = yield* beginOrAgain(event, claim.token, prefix)
      if (begun._tag === "Superseded") return begun
      if (begun._tag === "AlreadyReady") return { _tag: "Ready", ready: begun.ready } as const

      const timings: Record<string, number> = {}
      let recorded = -100
      const tell = Effect.fnUntraced(function* (stage: MediaRecord.Stage, percent: number) {
        const rounded = Math.round(Math.min(100, Math.max(0, percent)) * 10) / 10
        yield* onProgress(stage, rounded)
        if (rounded - recorded >= 10) {
          recorded = rounded
          yield* record.progress(event, stage, rounded)
        }
      })
      // What a callback reports must not end the job.
      const lightly = (stage: MediaRecord.Stage, percent: number) =>
        tell(stage, percent).pipe(Effect.catch((error) => Effect.logDebug("progress was not recorded", { error })))
      const timed = <A, E, R>(stage: MediaRecord.Stage, effect: Effect.Effect<A, E, R>) =>
        Effect.map(Effect.timed(effect), ([took, value]) => {
          timings[stage] = Math.round(Duration.toMillis(took))
          return value
        })

      const folder = yield* work.make
      const input = path.join(folder, "source")
      yield* lightly("downloading", 0)
      const bytes = yield* timed(
        "downloading",
        download(
          payload.file_path,
          input,
          everySecond((part) => lightly("downloading", part * 8)),
        ),
      )

      yield* lightly("probing", 8)
      const info = yield* timed("probing", probe("source", bytes, folder, limits))
      const plan: FfmpegCommand.Plan = {
        info,
        renditions: info.video === undefined ? [] : planLadder(info.video, options.ladder ?? defaultLadder),
        frameRate: frameRate(info.video?.frameRate ?? { num: 30, den: 1 }),
        thumbnails: info.video === undefined ? 0 : (options.thumbnails ?? 5),
        toneMapping: programs.toneMapping,
      }

      const output = path.join(folder, "output")
      yield* diskTrouble(fs.makeDirectory(path.join(output, "thumbnails"), { recursive: true }))
      const uploader = yield* SegmentUploader.make({
        from: output,
        bucket: options.bucket,
        prefix,
        folders: FfmpegCommand.folders(plan),
        concurrency: options.uploads ?? 4,
      })
      yield* lightly("transcoding", 10)
      const running = Ffmpeg.run({
        args: FfmpegCommand.args(plan, input),
        cwd: output,
        onProgress: (seconds) => lightly("transcoding", 10 + 84 * Math.min(1, seconds / info.duration)),
        stuckAfter: options.stuckAfter ?? Duration.minutes(1),
        limit: Duration.seconds(300 + info.duration * (options.secondsPerSecond ?? 30)),
      })
      const ended = yield* timed("transcoding", Effect.raceFirst(running, uploader.follow))

      yield* lightly("publishing", 94)
      return yield* timed(
        "publishing",
        Effect.gen(function* () {
          if (ended.code !== 0) return yield* ffmpegFailure(ended)
          yield* uploader.sync
          const made = yield* assemble(plan, uploader.uploaded())
          const thumbnails = yield* putThumbnails(output, prefix)
          const playlists = yield* Effect.forEach(made.parts, ({ folder, segments }) => {
            const key = `${prefix}${folder}/${FfmpegCommand.playlistName}`
            const text = MediaPlaylist.render(SegmentUploader.initName, segments)
            return Effect.as(put(key, encoder.encode(text), playlistType, playlistCache), key)
          })
          yield* verify(prefix, uploader.objects(), [...thumbnails, ...playlists])
          const master = { bucket: options.bucket, key: `${prefix}master.m3u8` }
          yield* put(
            master.key,
            encoder.encode(MasterPlaylist.render(made.variants, made.sound)),
            playlistType,
            playlistCache,
          )
          yield* head(master)

          const urlFor = (key: string) => playback.urlFor({ bucket: options.bucket, key })
          const top = made.variants[0]
          const ready: PayloadOf<"media.ready"> = {
            media_id: payload.media_id,
            user_id: payload.user_id,
            playback_urls: { hls: yield* urlFor(master.key), mp4: {} },
            thumbnail_urls: yield* Effect.forEach(thumbnails, urlFor),
            duration: Math.round(made.seconds * 1000) / 1000,
            ...(top === undefined ? {} : { width: top.width, height: top.height }),
            resolutions: made.variants.map(({ name }) => name),
            metadata: { ...payload.metadata, source: describe(info, bytes) },
          }
          const published = yield* record.publish(event, {
            attempt: begun.attempt,
            ready,
            rungs: made.variants.map(({ name, width, height, segments }) => ({
              name,
              width,
              height,
              bandwidth: MasterPlaylist.bandwidth([
                segments,
                ...(made.sound === undefined ? [] : [made.sound.segments]),
              ]),
            })),
            timings,
          })
          if (published._tag === "Superseded") {
            yield* cleaned([prefix])
            return { _tag: "Superseded" } as const
          }
          yield* cleaned(published.obsolete)
          yield* onProgress("publishing", 100)
          return { _tag: "Ready", ready } as const
        }),
      )
    },
    Effect.scoped,
    Effect.provide(own),
  )

  /** An earlier try may have published and died before it could tell; then only the telling is left. */
  const beginOrAgain = Effect.fnUntraced(function* (event: EventOf<"media.uploaded">, token: number, prefix: string) {
    const begun = yield* record.begin(event, token, prefix, false)
    if (begun._tag !== "AlreadyReady") return begun
    const there = yield* Effect.result(
      storage.head({ bucket: options.bucket, key: `${begun.attempt.prefix}master.m3u8` }),
    )
    if (Result.isSuccess(there)) return begun
    if (there.failure._tag !== "NotFound") return yield* there.failure
    return yield* record.begin(event, token, prefix, true)
  })

  return {
    transcode,
    giveUp: Effect.fn("Transcode.giveUp")(function* (failed: EventOf<"media.failed">) {
      for (const upload of yield* record.uploads(failed.payload.media_id)) {
        // A result's id follows from its cause, so it tells which upload failed.
        if (resultEventId(upload, "media.failed") !== failed.event_id) continue
        yield* cleaned(yield* record.fail(upload, failed.payload))
      }
    }),
  }
})

const encoder = new TextEncoder()

/** The event's Schema holds paths to the form `s3://bucket/key`. */
const parse = (filePath: string): ObjectRef => {
  const [bucket = "", ...key] = filePath.slice("s3://".length).split("/")
  return { bucket, key: key.join("/") }
}

interface Made {
  readonly parts: ReadonlyArray<SegmentUploader.Uploaded>
  readonly variants: ReadonlyArray<MasterPlaylist.Variant>
  readonly sound: MasterPlaylist.Sound | undefined
  readonly seconds: number
}

/** What ffmpeg really made of the plan; less than the source promised means that the source is damaged. */
const assemble = (plan: FfmpegCommand.Plan, parts: ReadonlyArray<SegmentUploader.Uploaded>) =>
  Effect.gen(function* () {
    const filled = parts.filter(({ segments }) => segments.length > 0)
    const variants = plan.renditions.flatMap((rendition): ReadonlyArray<MasterPlaylist.Variant> => {
      const part = filled.find(({ folder }) => folder === rendition.name)
      const { name, width, height } = rendition
      return part === undefined
        ? []
        : [{ name, width, height, frameRate: plan.frameRate, codec: part.track.codec, segments: part.segments }]
    })
    const audio = filled.find(({ folder }) => folder === FfmpegCommand.audioFolder)
    const sound = audio === undefined ? undefined : { codec: audio.track.codec, segments: audio.segments }
    const main = variants[0] ?? sound
    if (main === undefined || variants.length < plan.renditions.length) {
      return yield* failure("corrupt_media", "nothing in it could be decoded")
    }
    const seconds = MediaPlaylist.totalSeconds(main.segments)
    if (seconds < plan.info.mainDuration * 0.9 - 0.5) {
      return yield* failure(
        "corrupt_media",
        `it ends after ${seconds.toFixed(1)} of ${plan.info.mainDuration.toFixed(1)} s`,
      )
    }
    return { parts: filled, variants, sound, seconds } satisfies Made
  })

/** What the machine lacks is worth another try, what the file lacks is not. */
const ffmpegFailure = ({ code, stderr }: Ffmpeg.Ended): TransientError | PermanentError => {
  const last = stderr.trim().split("\n").slice(-3).join(" | ")
  // 69: more than two thirds of the frames could not be decoded.
  const broken =
    code === 69 ||
    /Invalid data found|Error while decoding|Error submitting packet to decoder|received no packets|Output file is empty|Decoder .* not found|Cannot determine format/i.test(
      stderr,
    )
  const machine = /No space left|Cannot allocate memory|Permission denied|Read-only file system/i.test(stderr)
  return broken && !machine
    ? failure("corrupt_media")
    : new TransientError({ dependency: "ffmpeg", code: "failed", message: `ffmpeg ended with code ${code}: ${last}` })
}

const notThere = (key: string) =>
  new TransientError({
    dependency: "storage",
    code: "lost",
    message: `${key} was put and is not there in full`,
  })

const troubled = (cause: PlatformError.PlatformError) =>
  Effect.fail(
    new TransientError({
      dependency: "disk",
      code: "unavailable",
      message: `the work folder failed: ${cause.message}`,
      cause,
    }),
  )

/** For effects of the file system alone. */
const diskTrouble = <A, R>(effect: Effect.Effect<A, PlatformError.PlatformError, R>) =>
  Effect.catchTag(effect, "PlatformError", troubled)

/** Calls through at most once a second. */
const everySecond = (report: (part: number) => Effect.Effect<void>) => {
  let last = 0
  return (part: number) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (now - last < 1000) return Effect.void
      last = now
      return report(part)
    })
}

const describe = (info: MediaInfo, bytes: number) => ({
  format: info.format,
  bytes,
  duration: info.duration,
  ...(info.video === undefined
    ? {}
    : {
        video_codec: info.video.codec,
        width: info.video.width,
        height: info.video.height,
        rotation: info.video.rotation,
        frame_rate: Math.round((info.video.frameRate.num / info.video.frameRate.den) * 1000) / 1000,
        hdr: info.video.hdr,
      }),
  ...(info.audio === undefined ? {} : { audio_codec: info.audio.codec, channels: info.audio.channels }),
})
