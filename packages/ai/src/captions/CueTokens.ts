/**
 * Tokens for cues: pieces of text that no line break divides, at most a line wide, with times in whole milliseconds.
 *
 * A token is a word with its punctuation. Engines divide scripts without spaces at any character, so there the words are
 * found again in the joined text, and the times of the engine's pieces are distributed over them.
 */
import type { TranscriptWord } from "@armoricore/domain/Transcript"
import { captionRules } from "./CaptionRules.ts"
import { displayWidth, graphemes } from "./DisplayWidth.ts"
import { hasSpaceBetween, mustNotEndLine, mustNotStartLine, segmentWords } from "./WordBoundaries.ts"

export interface CueToken {
  readonly text: string
  /** Milliseconds; tokens are in ascending order. */
  readonly start: number
  readonly end: number
  readonly speaker: string | undefined
  readonly spaceBefore: boolean
  /** Positions in the width of all tokens; `endOffset` is exclusive. */
  readonly startOffset: number
  readonly endOffset: number
}

type Piece = Omit<CueToken, "startOffset" | "endOffset">

/** Pieces of one word that an engine returns apart are closer than this. */
const maxGapInWordMillis = 600

export const toCueTokens = (words: ReadonlyArray<TranscriptWord>): ReadonlyArray<CueToken> => {
  const tokens: Array<CueToken> = []
  for (const piece of attachPunctuation(joinRuns(toPieces(words)).flatMap(toWords)).flatMap(splitWide)) {
    const previous = tokens.at(-1)
    const spaceBefore = previous !== undefined && piece.spaceBefore
    const startOffset = (previous?.endOffset ?? 0) + (spaceBefore ? 1 : 0)
    tokens.push({ ...piece, spaceBefore, startOffset, endOffset: startOffset + displayWidth(piece.text) })
  }
  return tokens
}

// Control characters and direction marks have no meaning in a caption and may break a file.
const invisibleCharacters = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
// Joiners shape letters and emoji, tags make flags, and the number signs of Arabic and Syriac are visible.
const visibleFormatCharacters = /[\u200c\u200d\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{e0020}-\u{e007f}]/u

const cleanText = (text: string): string =>
  text
    .replace(/\s+/gu, " ")
    .replace(invisibleCharacters, (character) => (visibleFormatCharacters.test(character) ? character : ""))
    .trim()

const toPieces = (words: ReadonlyArray<TranscriptWord>): ReadonlyArray<Piece> => {
  const pieces: Array<Piece> = []
  const ordered = words
    .filter(({ end, start }) => Number.isFinite(start) && Number.isFinite(end))
    .sort((a, b) => a.start - b.start)
  for (const word of ordered) {
    const parts = cleanText(word.text)
      .split(" ")
      .filter((part) => part !== "")
    const begin = Math.max(0, Math.round(word.start * 1000))
    const length = Math.max(1, Math.round(word.end * 1000) - begin)
    parts.forEach((text, index) => {
      const previous = pieces.at(-1)
      pieces.push({
        text,
        start: begin + Math.round((length * index) / parts.length),
        end: begin + Math.round((length * (index + 1)) / parts.length),
        speaker: word.speaker,
        spaceBefore:
          previous !== undefined && hasSpaceBetween(previous.text, text, index > 0 ? true : word.space_before),
      })
    })
  }
  return pieces
}

/** Pieces without spaces or pauses between them. */
type Run = ReadonlyArray<Piece>

const joinRuns = (pieces: ReadonlyArray<Piece>): ReadonlyArray<Run> => {
  const runs: Array<Array<Piece>> = []
  for (const piece of pieces) {
    const last = runs.at(-1)
    const previous = last?.at(-1)
    const continues =
      previous !== undefined &&
      !piece.spaceBefore &&
      previous.speaker === piece.speaker &&
      piece.start - previous.end <= maxGapInWordMillis
    if (continues) last?.push(piece)
    else runs.push([piece])
  }
  return runs
}

/** Divides a run into words. A position within a piece has a time in proportion to its letters. */
const toWords = (run: Run): ReadonlyArray<Piece> => {
  let index = 0
  let passedLetters = 0
  /** Offsets must not decrease between calls. */
  const timeAt = (offset: number, isEnd: boolean): number => {
    for (let piece = run[index]; piece !== undefined; piece = run[++index]) {
      const { end, start, text } = piece
      const within = offset - passedLetters
      if (within < text.length || (isEnd && within === text.length))
        return start + Math.round(((end - start) * within) / text.length)
      passedLetters += text.length
    }
    return run.at(-1)?.end ?? 0
  }
  let offset = 0
  return segmentWords(run.map(({ text }) => text).join("")).map((text, position) => {
    const start = timeAt(offset, false)
    offset += text.length
    return {
      text,
      start,
      end: Math.max(start + 1, timeAt(offset, true)),
      speaker: run[0]?.speaker,
      spaceBefore: position === 0 && run[0]?.spaceBefore === true,
    }
  })
}

/** Closing punctuation joins the token before it, opening punctuation the token after it. */
const attachPunctuation = (pieces: ReadonlyArray<Piece>): ReadonlyArray<Piece> => {
  const attached: Array<Piece> = []
  for (const piece of pieces) {
    const last = attached.at(-1)
    const joins =
      last !== undefined &&
      last.speaker === piece.speaker &&
      (mustNotStartLine(piece.text) || (mustNotEndLine(last.text) && piece.start - last.end <= maxGapInWordMillis))
    if (!joins) {
      attached.push(piece)
      continue
    }
    const isAfterPause = piece.start - last.end > maxGapInWordMillis
    attached[attached.length - 1] = {
      ...last,
      text: `${last.text}${piece.spaceBefore ? " " : ""}${piece.text}`,
      // Punctuation has no sound, so after a pause it does not extend the word.
      end: isAfterPause ? last.end : Math.max(last.end, piece.end),
    }
  }
  return attached
}

/** Divides a token that is wider than a line between graphemes, and not before closing punctuation. */
const splitWide = (piece: Piece): ReadonlyArray<Piece> => {
  if (displayWidth(piece.text) <= captionRules.maxLineWidth) return [piece]
  const texts: Array<string> = []
  let line: Array<string> = []
  let width = 0
  for (const grapheme of graphemes(piece.text)) {
    const graphemeWidth = displayWidth(grapheme)
    if (width + graphemeWidth > captionRules.maxLineWidth) {
      const moved = graphemesToMove(line, grapheme)
      texts.push(line.slice(0, line.length - moved).join(""))
      line = line.slice(line.length - moved)
      width = displayWidth(line.join(""))
    }
    line.push(grapheme)
    width += graphemeWidth
  }
  texts.push(line.join(""))
  const length = piece.end - piece.start
  return texts
    .map((text) => text.trim())
    .map((text, index) => ({
      ...piece,
      text,
      start: piece.start + Math.round((length * index) / texts.length),
      end: piece.start + Math.round((length * (index + 1)) / texts.length),
      spaceBefore: index === 0 && piece.spaceBefore,
    }))
    .filter(({ text }) => text !== "")
}

/** How many graphemes at the end of a full line go to the next line, so that both lines begin and end well. */
const graphemesToMove = (line: ReadonlyArray<string>, next: string): number => {
  const maxMoved = Math.min(4, line.length - 1)
  for (let moved = 0; moved <= maxMoved; moved++) {
    const first = moved === 0 ? next : (line[line.length - moved] ?? "")
    const last = line[line.length - moved - 1] ?? ""
    if (!mustNotStartLine(first) && !mustNotEndLine(last)) return moved
  }
  return 0
}
