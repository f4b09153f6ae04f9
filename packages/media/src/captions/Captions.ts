/**
 * Puts captions into a published stream: copies of the caption files below the stream's own prefix (so that one
 * permission covers them), and the manifests that name them.
 *
 * It is told of every transcript and of every new version of a stream, in any order, perhaps twice and perhaps by two
 * workers at once. So it never adds: it makes the manifests say what the two state records say (which version is
 * published, which transcripts there are), looks whether they still say so, and begins again where they do not. Whoever
 * is last leaves the truth.
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

/** Brings the manifests of a media's published version in line with its transcripts. */
export const attach = Effect.fn("Captions.attach")(function* (bucket: string, mediaId: string) {
  const media = yield* Collection.make(mediaStates)
  const transcripts = yield* Collection.make(transcriptStates)
  const readStates = Effect.gen(function* () {
    const state = Option.getOrUndefined(yield* media.get(mediaId))?.value
    const transcript = Option.getOrUndefined(yield* transcripts.get(mediaId))?.value
    const languages = Object.entries(transcript?.languages ?? {}).filter(([, { word_count }]) => word_count > 0)
    return { state, languages, fingerprint: JSON.stringify([state?.version?.prefix, languages]) }
  })
  let seen = yield* readStates
  for (let roundsLeft = maxRounds; roundsLeft > 0; roundsLeft--) {
    if (seen.state?.version === undefined) return
    yield* writeCaptions(bucket, seen.state.version.prefix, seen.state, seen.languages)
    const now = yield* readStates
    if (now.fingerprint === seen.fingerprint) return
    seen = now
  }
  return yield* new TransientError({
    dependency: "state",
    code: "write_conflict",
    message: `the captions of ${mediaId} changed while they were put into the player`,
  })
})

const writeCaptions = Effect.fnUntraced(function* (
  bucket: string,
  prefix: string,
  state: MediaState,
  languages: ReadonlyArray<readonly [language: string, entry: TranscriptEntry]>,
) {
  const master = yield* readText(bucket, `${prefix}${masterName}`)
  // A newer version took its place, or somebody removed it; then there is nothing to show captions in.
  if (master === undefined) return
  const start = yield* readPresentationStart(bucket, prefix, master.text)
  const renditions = yield* Effect.forEach(
    languages,
    Effect.fnUntraced(function* ([language, entry]) {
      const vtt = yield* readCaptions(entry)
      if (vtt === undefined) return []
      const draft = entry.quality === "draft"
      // A new transcript has a new folder, so that no cache mixes two.
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
      return [{ language, title: titleOf(language, draft), folder, autoselect: !draft }]
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
  const after = CaptionRenditions.addToManifest(manifest.text, renditions.flat())
  yield* replaceIfChanged(bucket, `${prefix}${manifestName}`, manifest, after)
})

const titleOf = (language: string, draft: boolean): string => {
  const name = new Intl.DisplayNames([language, "en"], { type: "language", fallback: "code" }).of(language) ?? language
  return draft ? `${name} (draft)` : name
}

/** The caption file stands beside the transcript. */
const readCaptions = Effect.fnUntraced(function* (entry: TranscriptEntry) {
  const { bucket, key } = ObjectRef.fromUrl(entry.transcript_file_path)
  return (yield* readText(bucket, `${key.slice(0, key.lastIndexOf("/") + 1)}captions.vtt`))?.text
})

/** By the first variant's own first segment. */
const readPresentationStart = Effect.fnUntraced(function* (bucket: string, prefix: string, master: string) {
  const variant = MediaPlaylist.parse(master).segments[0]
  if (variant === undefined) return 0
  const list = yield* readText(bucket, `${prefix}${variant}`)
  const { init, segments } = MediaPlaylist.parse(list?.text ?? "")
  const folder = `${prefix}${variant.slice(0, variant.lastIndexOf("/") + 1)}`
  const [first] = segments
  if (init === undefined || first === undefined) return 0
  // The boxes that say it stand at the beginning.
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
