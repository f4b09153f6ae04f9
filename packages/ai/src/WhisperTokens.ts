/**
 * Whisper's tokens to words. A token is a piece of a word; one that begins with a blank begins a word. Servers give them
 * out as "words", so whatever has such a blank anywhere is taken as tokens.
 */
import type { TranscriptWord } from "@armoricore/domain/Transcript"

/** As they came, in order; text untouched. */
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
