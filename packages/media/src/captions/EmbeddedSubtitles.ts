/**
 * The text subtitles of a source as caption tracks: one ffmpeg converts all of them to WebVTT, which is then checked, aligned
 * with the stream and stored below `subtitles/`. They are objects of the stream like its segments, so a checkpoint has them.
 * A damaged cue or subtitle track is left out; it never fails a video.
 */
import * as TimedText from "@armoricore/domain/TimedText"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { inputRestrictions, loopbackRestrictions } from "@armoricore/ffmpeg/InputRestrictions"
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { type Duration, Effect, FileSystem, Path, Result } from "effect"
import { audioFolder, type EncodingPlan } from "../encode/EncodingPlan.ts"
import * as TrackAlignment from "../encode/TrackAlignment.ts"
import { immutableCacheControl, initName, retryTransient } from "../packaging/SegmentUploader.ts"
import type { SubtitleInfo } from "../probe/MediaInfo.ts"
import * as CaptionRenditions from "./CaptionRenditions.ts"
import * as CaptionSegments from "./CaptionSegments.ts"
import * as PresentationStart from "./PresentationStart.ts"
import * as Ttml from "./Ttml.ts"

export interface Extraction {
  /** A local path, or the loopback address of a `RangeProxy`. */
  readonly input: string | { readonly url: string }
  /** A local folder for the converted files. */
  readonly folder: string
  readonly bucket: string
  /** Of the stream; ends with a slash. */
  readonly prefix: string
  /** Of the stream, in seconds. Undefined: it is read from the first segment. */
  readonly presentationStart?: number | undefined
  readonly timeout: Duration.Duration
  readonly stallTimeout: Duration.Duration
  readonly memoryLimit: number
}

/** The largest converted track. */
const maxBytes = 8_000_000

const folderOf = (position: number): string => `subtitles/${position}`
const localName = (position: number): string => `subtitle-${position}.vtt`

/** Sizes of the stored objects by their names below the prefix; empty without text subtitles. */
export const extract = Effect.fn("EmbeddedSubtitles.extract")(function* (plan: EncodingPlan, extraction: Extraction) {
  const { subtitles = [] } = plan.info
  const stored = new Map<string, number>()
  if (subtitles.length === 0) return stored
  const { folder, memoryLimit, stallTimeout, timeout } = extraction
  const result = yield* Ffmpeg.run({
    args: args(subtitles, extraction.input),
    cwd: folder,
    onProgress: () => Effect.void,
    stallTimeout,
    timeout,
    memoryLimit,
    background: true,
  })
  // ffmpeg ends with an error after damaged text, and has then written what comes before it.
  if (result.code !== 0) yield* Effect.logWarning(`Subtitles may be incomplete: ${result.stderr.slice(-300)}`)
  const main = `${extraction.prefix}${plan.renditions[0]?.name ?? audioFolder(0)}/`
  const start =
    extraction.presentationStart ??
    (yield* PresentationStart.read(extraction.bucket, `${main}${initName}`, `${main}00000.m4s`))
  for (const position of subtitles.keys()) {
    for (const [name, bytes] of yield* storeTrack(plan, extraction, position, start)) stored.set(name, bytes)
  }
  return stored
})

const args = (subtitles: ReadonlyArray<SubtitleInfo>, input: Extraction["input"]): ReadonlyArray<string> => [
  ..."-hide_banner -nostdin -loglevel error".split(" "),
  ...(typeof input === "string"
    ? [...inputRestrictions, "-i", `file:${input}`]
    : [...loopbackRestrictions, "-i", input.url]),
  ...subtitles.flatMap(({ index, isTtml }, position) => [
    ...`-map 0:${index} ${isTtml === true ? "-c copy -f data" : "-c:s webvtt -f webvtt"} -fs ${maxBytes}`.split(" "),
    localName(position),
  ]),
]

const storeTrack = Effect.fnUntraced(function* (
  plan: EncodingPlan,
  { bucket, folder, prefix }: Extraction,
  position: number,
  start: number,
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const storage = yield* ObjectStorage
  const stored: Array<readonly [name: string, bytes: number]> = []
  const file = path.join(folder, localName(position))
  if (!(yield* mapDiskErrors(fs.exists(file)))) return stored
  const text = yield* mapDiskErrors(fs.readFileString(file))
  const converted = plan.info.subtitles?.[position]?.isTtml === true ? Ttml.toWebVtt(text) : Result.succeed(text)
  if (Result.isFailure(converted)) {
    yield* Effect.logWarning(`Subtitle track ${position} is left out: ${converted.failure}`)
    return stored
  }
  const faults: Array<TimedText.TimedTextFault> = []
  const parsed = TimedText.parse(converted.success, (fault) => faults.push(fault))
  const [fault] = faults
  if (fault !== undefined)
    yield* Effect.logWarning(
      `Subtitle track ${position}: ${faults.length} cues are left out, the first one because ${fault.message}`,
    )
  if (Result.isFailure(parsed)) {
    // A track without cues is usual: some tools write one for every language.
    yield* Effect.logInfo(`Subtitle track ${position} is left out: ${parsed.failure.message}`)
    return stored
  }
  const seconds = TrackAlignment.streamSeconds(plan)
  const cues = TimedText.fit(
    parsed.success.filter(({ text }) => !isDrawing(text)),
    TrackAlignment.shiftSeconds(plan) - (plan.request?.clip?.start ?? 0),
    seconds,
  )
  for (const { contentType, name, text } of cues.length === 0 ? [] : CaptionSegments.files(cues, seconds, start)) {
    const key = `${folderOf(position)}/${name}`
    const bytes = new TextEncoder().encode(text)
    yield* storage
      .put<never, never>({ bucket, key: `${prefix}${key}` }, bytes, {
        contentType,
        cacheControl: immutableCacheControl,
      })
      .pipe(retryTransient)
    stored.push([key, bytes.byteLength])
  }
  return stored
})

/** The outline of a shape. ASS has shapes as text with a tag that ffmpeg leaves out. */
const isDrawing = (text: string): boolean =>
  /^[mn]( -?[\d.]+){2}( [mnlbspc]( -?[\d.]+)*)+$/.test(text.replaceAll(/\s+/g, " "))

/** The tracks whose playlists are among the stored objects (keys, or names below the prefix). */
export const renditionsOf = (
  { info: { subtitles = [] } }: EncodingPlan,
  objects: Iterable<string>,
): ReadonlyArray<CaptionRenditions.CaptionRendition> => {
  const names = [...objects].filter((name) => name.endsWith(`/${CaptionSegments.playlistName}`))
  return subtitles.flatMap(({ kind, language, title }, position) => {
    const folder = folderOf(position)
    return names.some(
      (name) =>
        name === `${folder}/${CaptionSegments.playlistName}` ||
        name.endsWith(`/${folder}/${CaptionSegments.playlistName}`),
    )
      ? [{ folder, kind, language, title: title ?? CaptionRenditions.titleOf(language, kind), autoselect: true }]
      : []
  })
}
