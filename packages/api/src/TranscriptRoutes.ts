/**
 * `GET /v1/media/{id}/transcript`: what was said in a media, for whoever may watch it (`MEDIA_TOPIC_POLICY`).
 *
 * `?language=` chooses one of several (default: the one made last); `?q=` searches: case, accents and punctuation do not
 * count, a phrase may run over several cues.
 */
import * as ObjectRef from "@armoricore/domain/ObjectRef"
import { hasRole } from "@armoricore/auth/Identity"
import { MediaId } from "@armoricore/domain/Ids"
import { Transcript, type TranscriptCue, type TranscriptEntry } from "@armoricore/domain/Transcript"
import * as Collection from "@armoricore/state/Collection"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, Option, Schema, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { authenticate } from "./Authentication.ts"
import { catchProblems, problem } from "./Problem.ts"

const isId = Schema.is(MediaId)
const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Transcript))

export interface TranscriptOptions {
  /** `public`: any user; `owner`: the owner and operators. */
  readonly policy: "public" | "owner"
}

export const layer = (options: TranscriptOptions) =>
  HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      const states = yield* Collection.make(transcriptStates)
      const storage = yield* ObjectStorage

      const loadTranscript = Effect.fnUntraced(function* (entry: TranscriptEntry) {
        const text = yield* storage.get(ObjectRef.fromUrl(entry.transcript_file_path)).pipe(
          Effect.flatMap(({ body }) => Stream.mkString(Stream.decodeText(body))),
          Effect.catchTag("NotFound", () => Effect.fail(transcriptGone)),
        )
        return yield* Effect.mapError(decode(text), () => transcriptGone)
      })

      const show = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
        const identity = yield* authenticate(request)
        const { id = "" } = yield* HttpRouter.params
        const found = isId(id) ? yield* states.get(id) : Option.none()
        if (Option.isNone(found)) {
          return yield* problem(
            404,
            "not_found",
            "no transcript of this media was asked for; publish transcription.requested",
          )
        }
        const state = found.value.value
        if (options.policy === "owner" && state.user_id !== identity.userId && !hasRole(identity, "operator")) {
          return yield* problem(403, "forbidden", "only the owner of a media or an operator may see this")
        }
        const query = new URL(request.url, "http://any").searchParams
        const about = {
          media_id: state.media_id,
          status: state.status,
          percent: state.percent,
          languages: Object.keys(state.languages),
          ...(state.failed === undefined ? {} : { failed: state.failed }),
        }
        const entry = selectLanguage(state.languages, query.get("language"))
        if (entry === undefined) {
          if (query.has("language")) {
            return yield* problem(404, "language_not_found", "there is no transcript in this language", "language")
          }
          return jsonResponse(about)
        }
        const { cues, words, ...document } = yield* loadTranscript(entry)
        const q = query.get("q")
        if (q === null) return jsonResponse({ ...about, ...document, caption_urls: entry.caption_urls, cues, words })
        return jsonResponse({ ...about, language: document.language, q, matches: search(cues, q) })
      })
      yield* router.add("GET", "/v1/media/:id/transcript", (request) => catchProblems(show(request)))
    }),
  )

const transcriptGone = problem(404, "not_found", "the transcript was removed; publish transcription.requested again")

const jsonResponse = (body: unknown) =>
  HttpServerResponse.jsonUnsafe(body, { headers: { "cache-control": "no-store" } })

/** The wanted language, also by its primary tag (`en` finds `en-GB`). */
const selectLanguage = (
  languages: Readonly<Record<string, TranscriptEntry>>,
  wanted: string | null,
): TranscriptEntry | undefined => {
  const all = Object.entries(languages)
  if (wanted === null) {
    return all.map(([, entry]) => entry).sort((a, b) => b.completed_at.localeCompare(a.completed_at))[0]
  }
  const tag = wanted.toLowerCase()
  const exact = all.find(([language]) => language.toLowerCase() === tag)
  return (exact ?? all.find(([language]) => language.toLowerCase().split("-")[0] === tag))?.[1]
}

export interface TranscriptMatch {
  /** Seconds at which the cue begins and ends in which the found text begins. */
  readonly start: number
  readonly end: number
  /** That cue's text, and the following cues' as far as the found text goes. */
  readonly text: string
}

/** At most so many, the first in the recording. */
const maxMatches = 200

/** Every place where the words of `q` stand one after another; the last of them may go on (`cap` finds `captain`). */
export const search = (cues: ReadonlyArray<TranscriptCue>, q: string): ReadonlyArray<TranscriptMatch> => {
  const wanted = tokenize(q)
  if (wanted.length === 0) return []
  const said = cues.flatMap(({ lines }, cue) => tokenize(lines.join(" ")).map((word) => ({ word, cue })))
  const matches: Array<TranscriptMatch> = []
  let lastCue = -1
  for (let at = 0; at + wanted.length <= said.length && matches.length < maxMatches; at++) {
    const fits = wanted.every((word, index) => {
      const heard = said[at + index]?.word ?? ""
      return index === wanted.length - 1 ? heard.startsWith(word) : heard === word
    })
    const first = said[at]?.cue ?? -1
    const last = said[at + wanted.length - 1]?.cue ?? first
    const cue = cues[first]
    // Several finds in one cue are one place to seek to.
    if (!fits || cue === undefined || first === lastCue) continue
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
    // Where no blanks are written, every character counts as a word, or only the beginnings of cues were found.
    .match(
      /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}]|(?:(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}])[\p{L}\p{N}])+/gu,
    ) ?? []
