/** Tokens for cues: text without spaces, at most a line long, times in whole milliseconds. */
import type { TranscriptWord } from "@armoricore/domain/Transcript"
import { characterCount, captionRules } from "./CaptionRules.ts"

export interface CueToken {
  readonly text: string
  /** Milliseconds; tokens are in ascending order. */
  readonly start: number
  readonly end: number
  readonly speaker: string | undefined
  readonly spaceBefore: boolean
  /** Character positions in the text of all tokens; `endOffset` is exclusive. */
  readonly startOffset: number
  readonly endOffset: number
}

export const toCueTokens = (words: ReadonlyArray<TranscriptWord>): ReadonlyArray<CueToken> => {
  const tokens: Array<CueToken> = []
  const ordered = words
    .filter(({ end, start }) => Number.isFinite(start) && Number.isFinite(end))
    .sort((a, b) => a.start - b.start)
  for (const word of ordered) {
    const parts = splitWord(word.text)
    const begin = Math.max(0, Math.round(word.start * 1000))
    const length = Math.max(1, Math.round(word.end * 1000) - begin)
    parts.forEach(({ text, begins }, index) => {
      const previous = tokens.at(-1)
      // The parts of a split long word have no space between them; `New York`, returned as one word, has.
      const spaceBefore =
        previous !== undefined && begins && !(isUnspacedScript(previous.text.at(-1)) && isUnspacedScript(text.at(0)))
      const startOffset = (previous?.endOffset ?? 0) + (spaceBefore ? 1 : 0)
      tokens.push({
        text,
        start: begin + Math.round((length * index) / parts.length),
        end: begin + Math.round((length * (index + 1)) / parts.length),
        speaker: word.speaker,
        spaceBefore,
        startOffset,
        endOffset: startOffset + characterCount(text),
      })
    })
  }
  return tokens
}

// Control characters and direction marks have no meaning in a caption and may break a file.
const invisibleCharacters = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu

const splitWord = (text: string): ReadonlyArray<{ readonly text: string; readonly begins: boolean }> =>
  text
    .replace(/\s+/gu, " ")
    .replace(invisibleCharacters, (character) => (character === "\u200d" || character === "\u200c" ? character : ""))
    .split(" ")
    .filter((part) => part !== "")
    .flatMap((part) => {
      const characters = [...part]
      const pieces: Array<{ readonly text: string; readonly begins: boolean }> = []
      for (let at = 0; at < characters.length; at += captionRules.maxLineLength)
        pieces.push({ text: characters.slice(at, at + captionRules.maxLineLength).join(""), begins: at === 0 })
      return pieces
    })

/** Scripts without spaces between words. */
const isUnspacedScript = (character: string | undefined): boolean =>
  character !== undefined &&
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}。、，！？]/u.test(character)
