/**
 * Joins Whisper's tokens to words. A token is a part of a word; a leading space begins a word. Some servers return tokens
 * as "words", so a list with a leading space anywhere is treated as tokens.
 */
import type { TranscriptWord } from "@armoricore/domain/Transcript"

export const joinTokens = (tokens: ReadonlyArray<TranscriptWord>): ReadonlyArray<TranscriptWord> => {
  const textTokens = tokens.filter(({ text }) => !/^\s*(\[_.*\]|<\|.*\|>)\s*$/.test(text))
  if (!textTokens.some(({ text }) => /^\s/.test(text))) return textTokens
  const words: Array<TranscriptWord> = []
  for (const token of textTokens) {
    const last = words.at(-1)
    if (last === undefined || /^\s/.test(token.text)) {
      words.push({ ...token, text: token.text.trimStart() })
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
