/**
 * The instructions of an upload: the fields of its `metadata` that change how it is processed. Other fields of `metadata` mean
 * nothing here and are passed on. A field with another form fails the upload, so that no instruction is silently ignored.
 */
import type { PermanentError } from "@armoricore/domain/Errors"
import { sha256 } from "@armoricore/domain/DeterministicId"
import { describeSchemaError } from "@armoricore/domain/SchemaErrors"
import { ObjectPath } from "@armoricore/domain/JsonCodecs"
import { Effect, Schema } from "effect"
import type { PlanRequest } from "../encode/EncodingPlan.ts"
import type { Chapter, MediaInfo } from "../probe/MediaInfo.ts"
import { failure } from "./Failures.ts"

const Seconds = Schema.Finite.check(
  Schema.isBetween({ minimum: 0, maximum: 1e6 }, { expected: "seconds from the start, 0 or more" }),
)
const share = (minimum: number) =>
  Schema.Finite.check(Schema.isBetween({ minimum, maximum: 1 }, { expected: `a number from ${minimum} to 1` }))

export const watermarkPositions = ["top-left", "top-right", "bottom-left", "bottom-right", "center"] as const

const fields = Schema.Struct({
  /** Only this part of the recording. The end is exclusive. */
  clip: Schema.optionalKey(Schema.Struct({ start: Seconds, end: Seconds })),
  /** A PNG over the picture. */
  watermark: Schema.optionalKey(
    Schema.Struct({
      file_path: ObjectPath,
      /** Default: `bottom-right`. */
      position: Schema.optionalKey(Schema.Literals(watermarkPositions)),
      /** Default: 1. */
      opacity: Schema.optionalKey(share(0.01)),
      /** Of the width of the picture. Default: 0.15. */
      width: Schema.optionalKey(share(0.01)),
    }),
  ),
  /** The time of the poster in the stream. */
  poster_time: Schema.optionalKey(Seconds),
  /** Leaves the picture out. */
  audio_only: Schema.optionalKey(Schema.Boolean),
  /** MP4 files for download, also without `MEDIA_MP4`; with the name that browsers save them under. */
  download: Schema.optionalKey(
    Schema.Union([
      Schema.Boolean,
      Schema.Struct({ filename: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(150)) }),
    ]),
  ),
  /** In place of those of the file. The end of a chapter is the start of the next one. */
  chapters: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({ start: Seconds, title: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(200)) }),
    ).check(Schema.isMaxLength(1_000)),
  ),
})
export type MediaRequest = typeof fields.Type

const decodeFields = Schema.decodeUnknownEffect(fields)

/** `isProtected`: new streams are encrypted, and files for download would not be. */
export const decode = (metadata: unknown, isProtected: boolean): Effect.Effect<MediaRequest, PermanentError> =>
  metadata === undefined || metadata === null
    ? Effect.succeed({})
    : decodeFields(metadata).pipe(
        Effect.mapError((error) =>
          failure("invalid_metadata", describeSchemaError(error, { input: metadata, parent: "metadata" }).message),
        ),
        Effect.filterOrFail(
          ({ download = false }) => !isProtected || download === false,
          () =>
            failure("invalid_metadata", "metadata.download is not possible: streams are protected (MEDIA_PROTECTION)"),
        ),
      )

/** Chunks of a part of a recording, or with a watermark, are not encoded: one run does both. */
export const needsOneRun = ({ clip, watermark }: MediaRequest): boolean => clip !== undefined || watermark !== undefined

/** The part of a request that the encoding plan stores. */
export const planRequestOf = (request: MediaRequest, watermarkEtag?: string): PlanRequest | undefined => {
  const { clip, download, poster_time, watermark } = request
  const hash = hashOf(request)
  if (hash === undefined) return undefined
  const filename = typeof download === "object" ? download.filename : undefined
  return {
    hash,
    ...(clip === undefined ? {} : { clip }),
    ...(watermark === undefined
      ? {}
      : {
          watermark: {
            etag: watermarkEtag ?? "",
            position: watermark.position ?? "bottom-right",
            opacity: watermark.opacity ?? 1,
            width: watermark.width ?? 0.15,
          },
        }),
    ...(poster_time === undefined ? {} : { posterTime: poster_time }),
    ...(download === undefined || download === false ? {} : { download: filename ?? "" }),
  }
}

/** Undefined: there are no instructions. */
export const hashOf = (request: MediaRequest): string | undefined =>
  Object.keys(request).length === 0 ? undefined : sha256(JSON.stringify(request))

/** The properties of the source or of its clip, whose times count from the start of the clip. */
export const apply = Effect.fn("MediaRequest.apply")(function* (info: MediaInfo, request: MediaRequest) {
  const { audio_only, clip, poster_time } = request
  const clipped = clip === undefined ? info : yield* clipOf(info, clip)
  if (audio_only === true && clipped.audioTracks.length === 0) return yield* failure("no_audio")
  const { video: _, ...sound } = clipped
  const result: MediaInfo = audio_only === true ? sound : clipped
  if (poster_time !== undefined && poster_time >= result.duration) {
    return yield* failure(
      "invalid_metadata",
      `metadata.poster_time is ${poster_time}, and the stream has ${result.duration.toFixed(1)} s`,
    )
  }
  return request.chapters === undefined ? result : { ...result, chapters: yield* chaptersOf(request.chapters, result) }
})

/** Seconds by which a clip may end after the recording. */
const endTolerance = 0.5

const clipOf = Effect.fnUntraced(function* (
  info: MediaInfo,
  { end, start }: { readonly start: number; readonly end: number },
) {
  const { duration, video } = info
  const to = Math.min(end, duration)
  const frame = video === undefined ? 0.05 : video.frameRate.den / video.frameRate.num
  const invalid = (reason: string) =>
    failure("invalid_clip", `${start} to ${end} s of a recording of ${duration.toFixed(1)} s: ${reason}`)
  if (video?.still !== undefined) return yield* failure("invalid_clip", "a photo has no part")
  if (end <= start) return yield* invalid("it ends before it begins")
  if (start >= duration || end > duration + endTolerance) return yield* invalid("it is outside the recording")
  if (to - start < frame) return yield* invalid("it is shorter than a frame")
  if (video !== undefined && ((video.end ?? duration) <= start || (video.start ?? 0) >= to))
    return yield* invalid("there is no picture in it")
  // Without the rounding of binary fractions, which chapters would show.
  const within = (time: number) => Math.round(Math.min(Math.max(0, time - start), to - start) * 1e6) / 1e6
  return {
    ...info,
    duration: within(to),
    ...(video === undefined
      ? {}
      : {
          video: {
            ...video,
            start: firstFrameAfter(start, video.start ?? 0, frame) - start,
            end: within(video.end ?? duration),
            packets: undefined,
          },
        }),
    audioTracks: info.audioTracks.flatMap(({ lateStart, ...audio }) =>
      (audio.end ?? duration) <= start || (lateStart ?? 0) >= to
        ? []
        : [{ ...audio, end: within(audio.end ?? duration) }],
    ),
    ...(info.chapters === undefined
      ? {}
      : {
          chapters: info.chapters.flatMap((chapter) =>
            within(chapter.end) - within(chapter.start) > 0
              ? [{ ...chapter, start: within(chapter.start), end: within(chapter.end) }]
              : [],
          ),
        }),
  } satisfies MediaInfo
})

/** The time of the first frame at or after `seconds`, of frames that begin at `first`. */
const firstFrameAfter = (seconds: number, first: number, frameSeconds: number): number =>
  first + Math.max(0, Math.ceil((seconds - first) / frameSeconds - 1e-3)) * frameSeconds

const chaptersOf = Effect.fnUntraced(function* (
  chapters: NonNullable<MediaRequest["chapters"]>,
  { duration }: MediaInfo,
) {
  const late = chapters.findIndex(({ start }) => start >= duration)
  if (late !== -1) {
    return yield* failure(
      "invalid_metadata",
      `metadata.chapters.${late}.start is ${chapters[late]?.start}, and the stream has ${duration.toFixed(1)} s`,
    )
  }
  const sorted = [...chapters].sort((a, b) => a.start - b.start)
  return sorted.flatMap(({ start, title }, index): ReadonlyArray<Chapter> => {
    const end = sorted[index + 1]?.start ?? duration
    return end > start ? [{ start, end, title }] : []
  })
})
