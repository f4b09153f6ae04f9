/**
 * Adds captions to a published stream: it writes the caption files below the stream's prefix, so that one playback
 * permission covers them, and edits the manifests. Captions are transcripts, and files that were uploaded.
 *
 * It runs after every transcript, uploaded file and new version of a stream, in any order, possibly twice or in two workers at once.
 * Each run therefore sets the captions of the manifests to the current state records (the published version and its
 * transcripts), reads the records again, and repeats if they changed. The last run leaves the correct manifests.
 */
import type { UploadedCaptions } from "@armoricore/domain/CaptionTrack"
import * as ObjectRef from "@armoricore/domain/ObjectRef"
import { TransientError } from "@armoricore/domain/Errors"
import type { MediaState } from "@armoricore/domain/MediaState"
import * as TimedText from "@armoricore/domain/TimedText"
import type { TranscriptEntry } from "@armoricore/domain/Transcript"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, Option, Result, Stream } from "effect"
import { basename } from "node:path/posix"
import * as MasterPlaylist from "../packaging/MasterPlaylist.ts"
import * as MediaPlaylist from "../packaging/MediaPlaylist.ts"
import * as CaptionRenditions from "./CaptionRenditions.ts"
import * as CaptionSegments from "./CaptionSegments.ts"
import * as PresentationStart from "./PresentationStart.ts"

const masterName = "master.m3u8"
const manifestName = "manifest.mpd"
const maxRounds = 8

/** Sets the captions of the published version to the current transcripts. */
export const attach = Effect.fn("Captions.attach")(function* (bucket: string, mediaId: string) {
  const media = yield* Collection.make(mediaStates)
  const transcripts = yield* Collection.make(transcriptStates)
  const readStates = Effect.gen(function* () {
    const state = Option.getOrUndefined(yield* media.get(mediaId))?.value
    const transcript = Option.getOrUndefined(yield* transcripts.get(mediaId))?.value
    const uploaded = Object.values(state?.captions ?? {})
    // An uploaded file replaces the transcript of its language, until it is deleted.
    const isReplaced = (language: string) =>
      uploaded.some((captions) => captions.kind !== "forced" && captions.language === language)
    const languages = Object.entries(transcript?.languages ?? {}).filter(
      ([language, { word_count }]) => word_count > 0 && !isReplaced(language),
    )
    const fingerprint = JSON.stringify([state?.version?.prefix, state?.deleted_at, languages, uploaded])
    return { state, sources: [...uploaded.map(ofUpload(bucket)), ...languages.map(ofTranscript)], fingerprint }
  })
  let current = yield* readStates
  for (let roundsLeft = maxRounds; roundsLeft > 0; roundsLeft--) {
    if (current.state?.version === undefined || current.state.deleted_at !== undefined) return
    yield* writeCaptions(bucket, current.state.version.prefix, current.state, current.sources)
    const latest = yield* readStates
    if (latest.fingerprint === current.fingerprint) return
    current = latest
  }
  return yield* new TransientError({
    dependency: "state",
    code: "write_conflict",
    message: `the transcripts of ${mediaId} changed ${maxRounds} times while their captions were added to the stream`,
  })
})

/** A WebVTT file in storage, and how players show it. */
interface CaptionSource extends CaptionRenditions.CaptionRendition {
  readonly file: ObjectRef.ObjectRef
}

const ofTranscript = ([language, entry]: readonly [language: string, entry: TranscriptEntry]): CaptionSource => {
  const { bucket, key } = ObjectRef.fromUrl(entry.transcript_file_path)
  const isDraft = entry.quality === "draft"
  const title = CaptionRenditions.titleOf(language, "subtitles")
  return {
    // The caption file is in the folder of the transcript.
    file: { bucket, key: `${key.slice(0, key.lastIndexOf("/") + 1)}captions.vtt` },
    // Each transcript has its own folder, so caches never mix two.
    folder: `captions/${language}-${entry.transcription_id.slice(0, 8)}`,
    language,
    title: isDraft ? `${title} (draft)` : title,
    kind: "subtitles",
    autoselect: !isDraft,
  }
}

const ofUpload =
  (bucket: string) =>
  ({ key, kind, language, title }: UploadedCaptions): CaptionSource => ({
    file: { bucket, key },
    // The name of the file contains a hash of its content.
    folder: `captions/${basename(key, ".vtt")}`,
    language,
    title: title ?? CaptionRenditions.titleOf(language, kind),
    kind,
    autoselect: true,
  })

const writeCaptions = Effect.fnUntraced(function* (
  bucket: string,
  prefix: string,
  state: MediaState,
  sources: ReadonlyArray<CaptionSource>,
) {
  const master = yield* readText(bucket, `${prefix}${masterName}`)
  // The version was superseded or deleted.
  if (master === undefined) return
  const start = yield* readPresentationStart(bucket, prefix, master.text)
  const seconds = state.ready?.duration ?? 0
  const written = yield* Effect.forEach(
    sources,
    (source) =>
      Effect.map(writeTrack(bucket, prefix, source, seconds, start), (isWritten) => (isWritten ? [source] : [])),
    { concurrency: 4 },
  )
  const renditions = written.flat()
  yield* replaceIfChanged(
    bucket,
    `${prefix}${masterName}`,
    master,
    CaptionRenditions.addToMaster(master.text, renditions),
  )
  const manifest = yield* readText(bucket, `${prefix}${manifestName}`)
  if (manifest === undefined) return
  const edited = CaptionRenditions.addToManifest(manifest.text, renditions)
  yield* replaceIfChanged(bucket, `${prefix}${manifestName}`, manifest, edited)
})

/** False if the file is gone. A track that has its playlist is complete. */
const writeTrack = Effect.fnUntraced(function* (
  bucket: string,
  prefix: string,
  { file, folder }: CaptionSource,
  seconds: number,
  start: number,
) {
  const track = `${prefix}${folder}/`
  const storage = yield* ObjectStorage
  const isComplete = yield* storage.head({ bucket, key: `${track}${CaptionSegments.playlistName}` }).pipe(
    Effect.as(true),
    Effect.catchTag("NotFound", () => Effect.succeed(false)),
  )
  if (isComplete) return true
  const vtt = yield* readText(file.bucket, file.key)
  if (vtt === undefined) return false
  const cues = TimedText.parse(vtt.text)
  if (Result.isFailure(cues)) {
    const { line, message } = cues.failure
    yield* Effect.logWarning(`The captions ${file.key} are left out: line ${line}: ${message}`)
    return false
  }
  for (const { contentType, name, text } of CaptionSegments.files(
    TimedText.fit(cues.success, 0, seconds),
    seconds,
    start,
  ))
    yield* put(bucket, `${track}${name}`, text, contentType)
  return true
})

/** The master playlist has it where segments are encrypted; else it is read from the first segment of the first variant. */
const readPresentationStart = Effect.fnUntraced(function* (bucket: string, prefix: string, master: string) {
  const declared = MasterPlaylist.presentationStart(master)
  if (declared !== undefined) return declared
  const variant = MediaPlaylist.parse(master).segments[0]
  if (variant === undefined) return 0
  const playlist = yield* readText(bucket, `${prefix}${variant}`)
  const { init, segments } = MediaPlaylist.parse(playlist?.text ?? "")
  const folder = `${prefix}${variant.slice(0, variant.lastIndexOf("/") + 1)}`
  const [first] = segments
  if (init === undefined || first === undefined) return 0
  return yield* PresentationStart.read(bucket, `${folder}${init}`, `${folder}${first}`)
})

interface StoredText {
  readonly text: string
  readonly contentType: string
  readonly cacheControl: string | undefined
}

const readText = Effect.fnUntraced(function* (bucket: string, key: string) {
  const storage = yield* ObjectStorage
  return yield* storage.get({ bucket, key }).pipe(
    Effect.flatMap(({ body, info }) =>
      Effect.map(Stream.mkString(Stream.decodeText(body)), (text): StoredText => ({
        text,
        contentType: info.contentType,
        cacheControl: info.cacheControl,
      })),
    ),
    Effect.catchTag("NotFound", () => Effect.succeed(undefined)),
  )
})

const put = Effect.fnUntraced(function* (bucket: string, key: string, text: string, contentType: string) {
  const storage = yield* ObjectStorage
  const options = { contentType, cacheControl: "public, max-age=31536000, immutable" }
  yield* storage.put<never, never>({ bucket, key }, new TextEncoder().encode(text), options)
})

const replaceIfChanged = Effect.fnUntraced(function* (bucket: string, key: string, before: StoredText, text: string) {
  if (text === before.text) return
  const storage = yield* ObjectStorage
  const { cacheControl, contentType } = before
  const options = { contentType, ...(cacheControl === undefined ? {} : { cacheControl }) }
  yield* storage.put<never, never>({ bucket, key }, new TextEncoder().encode(text), options)
})
