/**
 * Joins Whisper's tokens to words. A token is a part of a word; a leading space begins a word. Some servers return tokens
 * as "words", so a list with a leading space anywhere is treated as tokens. Tokens of scripts without spaces stay apart,
 * because each has its own time; Thai and others separate phrases by spaces, so there a leading space is recorded.
 */
import type { TranscriptWord } from "@armoricore/domain/Transcript"
import { hasSpaceBetween } from "../captions/WordBoundaries.ts"

export const joinTokens = (tokens: ReadonlyArray<TranscriptWord>): ReadonlyArray<TranscriptWord> => {
  const textTokens = tokens.filter(({ text }) => !/^\s*(\[_.*\]|<\|.*\|>)\s*$/.test(text))
  if (!textTokens.some(({ text }) => /^\s/.test(text))) return textTokens
  const words: Array<TranscriptWord> = []
  for (const token of textTokens) {
    const last = words.at(-1)
    const text = token.text.trimStart()
    const hasLeadingSpace = text !== token.text
    const isSpacedByDefault = last === undefined || hasSpaceBetween(last.text, text)
    if (last === undefined || hasLeadingSpace || !isSpacedByDefault) {
      words.push({ ...token, text, ...(hasLeadingSpace && !isSpacedByDefault ? { space_before: true } : {}) })
      continue
    }
    const minConfidence = Math.min(last.confidence ?? 1, token.confidence ?? 1)
    words[words.length - 1] = {
      ...last,
      end: Math.max(last.end, token.end),
      text: last.text + token.text,
      ...(last.confidence === undefined ? {} : { confidence: minConfidence }),
    }
  }
  return words
}
