/**
 * Adds captions to a published stream: it copies the caption files below the stream's prefix, so that one playback
 * permission covers them, and edits the manifests.
 *
 * It runs after every transcript and every new version of a stream, in any order, possibly twice or in two workers at once.
 * Each run therefore sets the captions of the manifests to the current state records (the published version and its
 * transcripts), reads the records again, and repeats if they changed. The last run leaves the correct manifests.
 */
import * as ObjectRef from "@armoricore/domain/ObjectRef"
import { TransientError } from "@armoricore/domain/Errors"
import type { MediaState } from "@armoricore/domain/MediaState"
import type { TranscriptEntry } from "@armoricore/domain/Transcript"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, Option, Stream } from "effect"
import * as MediaPlaylist from "../packaging/MediaPlaylist.ts"
import * as CaptionRenditions from "./CaptionRenditions.ts"
import { presentationStart } from "./PresentationStart.ts"

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
    const languages = Object.entries(transcript?.languages ?? {}).filter(([, { word_count }]) => word_count > 0)
    return { state, languages, fingerprint: JSON.stringify([state?.version?.prefix, state?.deleted_at, languages]) }
  })
  let current = yield* readStates
  for (let roundsLeft = maxRounds; roundsLeft > 0; roundsLeft--) {
    if (current.state?.version === undefined || current.state.deleted_at !== undefined) return
    yield* writeCaptions(bucket, current.state.version.prefix, current.state, current.languages)
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

const writeCaptions = Effect.fnUntraced(function* (
  bucket: string,
  prefix: string,
  state: MediaState,
  languages: ReadonlyArray<readonly [language: string, entry: TranscriptEntry]>,
) {
  const master = yield* readText(bucket, `${prefix}${masterName}`)
  // The version was superseded or deleted.
  if (master === undefined) return
  const start = yield* readPresentationStart(bucket, prefix, master.text)
  const renditions = yield* Effect.forEach(
    languages,
    Effect.fnUntraced(function* ([language, entry]) {
      const vtt = yield* readCaptions(entry)
      if (vtt === undefined) return []
      const isDraft = entry.quality === "draft"
      // Each transcript has its own folder, so caches never mix two.
      const folder = `captions/${language}-${entry.transcription_id.slice(0, 8)}`
      const seconds = state.ready?.duration ?? 0
      yield* put(
        bucket,
        `${prefix}${folder}/${CaptionRenditions.fileName}`,
        CaptionRenditions.withTimestampMap(vtt, start),
        "text/vtt; charset=utf-8",
      )
      yield* put(
        bucket,
        `${prefix}${folder}/${CaptionRenditions.playlistName}`,
        CaptionRenditions.playlist(seconds),
        "application/vnd.apple.mpegurl",
      )
      return [{ language, title: titleOf(language, isDraft), folder, autoselect: !isDraft }]
    }),
    { concurrency: 4 },
  )
  yield* replaceIfChanged(
    bucket,
    `${prefix}${masterName}`,
    master,
    CaptionRenditions.addToMaster(master.text, renditions.flat()),
  )
  const manifest = yield* readText(bucket, `${prefix}${manifestName}`)
  if (manifest === undefined) return
  const edited = CaptionRenditions.addToManifest(manifest.text, renditions.flat())
  yield* replaceIfChanged(bucket, `${prefix}${manifestName}`, manifest, edited)
})

const titleOf = (language: string, isDraft: boolean): string => {
  const name = new Intl.DisplayNames([language, "en"], { type: "language", fallback: "code" }).of(language) ?? language
  return isDraft ? `${name} (draft)` : name
}

/** The caption file is in the folder of the transcript. */
const readCaptions = Effect.fnUntraced(function* (entry: TranscriptEntry) {
  const { bucket, key } = ObjectRef.fromUrl(entry.transcript_file_path)
  return (yield* readText(bucket, `${key.slice(0, key.lastIndexOf("/") + 1)}captions.vtt`))?.text
})

/** Reads it from the first segment of the first variant. */
const readPresentationStart = Effect.fnUntraced(function* (bucket: string, prefix: string, master: string) {
  const variant = MediaPlaylist.parse(master).segments[0]
  if (variant === undefined) return 0
  const playlist = yield* readText(bucket, `${prefix}${variant}`)
  const { init, segments } = MediaPlaylist.parse(playlist?.text ?? "")
  const folder = `${prefix}${variant.slice(0, variant.lastIndexOf("/") + 1)}`
  const [first] = segments
  if (init === undefined || first === undefined) return 0
  // The boxes are at the beginning of both files.
  const initBytes = yield* readHead(bucket, `${folder}${init}`)
  const segmentBytes = yield* readHead(bucket, `${folder}${first}`)
  if (initBytes === undefined || segmentBytes === undefined) return 0
  return presentationStart(initBytes, segmentBytes) ?? 0
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

const readHead = Effect.fnUntraced(function* (bucket: string, key: string) {
  const storage = yield* ObjectStorage
  return yield* storage.get({ bucket, key }, { start: 0, end: 65_535 }).pipe(
    Effect.flatMap(({ body }) => Stream.runCollect(body)),
    Effect.map((pieces) => Buffer.concat([...pieces])),
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
