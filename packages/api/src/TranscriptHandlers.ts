/**
 * `GET /v1/media/{id}/transcript`: reads or searches the transcript of a media. `MEDIA_TOPIC_POLICY` decides whether
 * every user may read it, or only the owner and operators.
 */
import { hasRole } from "@armoricore/auth/Identity"
import * as ObjectRef from "@armoricore/domain/ObjectRef"
import { MediaId } from "@armoricore/domain/Ids"
import { Transcript, type TranscriptCue, type TranscriptEntry } from "@armoricore/domain/Transcript"
import * as Collection from "@armoricore/state/Collection"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, Option, Schema, Stream } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts"
import { CurrentIdentity } from "./contract/Security.ts"
import type { TranscriptMatch } from "./contract/TranscriptApi.ts"
import { asProblem, problem } from "./Problem.ts"

const isMediaId = Schema.is(MediaId)
const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Transcript))

export interface TranscriptOptions {
  /** `public`: any user; `owner`: the owner and operators. */
  readonly policy: "public" | "owner"
}

interface TranscriptQuery {
  readonly language?: string
  readonly q?: string
}

export const layer = (options: TranscriptOptions) =>
  HttpApiBuilder.group(
    ArmoricoreApi,
    "transcripts",
    Effect.fnUntraced(function* (handlers) {
      const states = yield* Collection.make(transcriptStates)
      const storage = yield* ObjectStorage

      const loadTranscript = Effect.fnUntraced(function* (entry: TranscriptEntry) {
        const text = yield* storage.get(ObjectRef.fromUrl(entry.transcript_file_path)).pipe(
          Effect.flatMap(({ body }) => Stream.mkString(Stream.decodeText(body))),
          Effect.catchTag("NotFound", () => Effect.fail(transcriptGone)),
        )
        return yield* Effect.mapError(decode(text), () => transcriptGone)
      })

      const get = Effect.fn("TranscriptApi.get")(function* (id: string, { language, q }: TranscriptQuery) {
        const identity = yield* CurrentIdentity
        const document = isMediaId(id) ? yield* states.get(id) : Option.none()
        if (Option.isNone(document)) {
          return yield* problem(
            404,
            "not_found",
            "no transcript of this media was requested; publish transcription.requested",
          )
        }
        const state = document.value.value
        if (options.policy === "owner" && state.user_id !== identity.userId && !hasRole(identity, "operator")) {
          return yield* problem(403, "forbidden", "only the owner of a media or an operator may see this")
        }
        const status = {
          media_id: state.media_id,
          status: state.status,
          percent: state.percent,
          languages: Object.keys(state.languages),
          ...(state.failed === undefined ? {} : { failed: state.failed }),
        }
        const entry = selectLanguage(state.languages, language)
        if (entry === undefined) {
          if (language !== undefined) {
            return yield* problem(404, "language_not_found", "there is no transcript in this language", "language")
          }
          return status
        }
        const transcript = yield* loadTranscript(entry)
        if (q === undefined) return { ...status, ...transcript, caption_urls: entry.caption_urls }
        return { ...status, language: transcript.language, q, matches: search(transcript.cues, q) }
      })

      return handlers.handle("get", ({ params, query }) => asProblem(get(params.id, query)))
    }),
  )

const transcriptGone = problem(404, "not_found", "the transcript was removed; publish transcription.requested again")

/** The transcript in this language; a primary tag matches a longer one (`en` finds `en-GB`). Default: the newest that is no translation. */
const selectLanguage = (
  languages: Readonly<Record<string, TranscriptEntry>>,
  language: string | undefined,
): TranscriptEntry | undefined => {
  const entries = Object.entries(languages)
  if (language === undefined) {
    const own = entries.filter(([, { translated_from }]) => translated_from === undefined)
    return own.map(([, entry]) => entry).sort((a, b) => b.completed_at.localeCompare(a.completed_at))[0]
  }
  const tag = language.toLowerCase()
  const exact = entries.find(([key]) => key.toLowerCase() === tag)
  return (exact ?? entries.find(([key]) => key.toLowerCase().split("-")[0] === tag))?.[1]
}

const maxMatches = 200

/** Finds the phrase `q` in the cues. Its last word may be a prefix: `cap` finds `captain`. */
export const search = (cues: ReadonlyArray<TranscriptCue>, q: string): ReadonlyArray<TranscriptMatch> => {
  const phrase = tokenize(q)
  if (phrase.length === 0) return []
  const tokens = cues.flatMap(({ lines }, cue) => tokenize(lines.join(" ")).map((word) => ({ word, cue })))
  const matches: Array<TranscriptMatch> = []
  let lastCue = -1
  for (let at = 0; at + phrase.length <= tokens.length && matches.length < maxMatches; at++) {
    const isMatch = phrase.every((word, index) => {
      const token = tokens[at + index]?.word ?? ""
      return index === phrase.length - 1 ? token.startsWith(word) : token === word
    })
    const first = tokens[at]?.cue ?? -1
    const last = tokens[at + phrase.length - 1]?.cue ?? first
    const cue = cues[first]
    // Several matches in one cue are one position to seek to.
    if (!isMatch || cue === undefined || first === lastCue) continue
    lastCue = first
    const text = cues.slice(first, last + 1).flatMap(({ lines }) => lines)
    matches.push({ start: cue.start, end: cue.end, text: text.join(" ") })
  }
  return matches
}

const tokenize = (text: string): ReadonlyArray<string> =>
  text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    // Scripts without spaces: every character is a token, or only the start of a cue could be found.
    .match(
      /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}]|(?:(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}])[\p{L}\p{N}])+/gu,
    ) ?? []
