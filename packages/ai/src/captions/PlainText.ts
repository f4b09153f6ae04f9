/** The words to read: a paragraph ends at a long pause, or where somebody else speaks. */
import type { TranscriptWord } from "@armoricore/domain/Transcript"

export const contentType = "text/plain; charset=utf-8"

/** Seconds of silence that end a paragraph. */
const pause = 2

export const render = (words: ReadonlyArray<TranscriptWord>): string => {
  let text = ""
  let before: TranscriptWord | undefined
  for (const word of words) {
    if (before === undefined) text += speakerOf(word)
    else if (word.speaker !== before.speaker) text += `\n\n${speakerOf(word)}`
    else text += word.start - before.end > pause ? "\n\n" : " "
    text += word.text
    before = word
  }
  return text === "" ? "" : `${text}\n`
}

const speakerOf = ({ speaker }: TranscriptWord): string => (speaker === undefined ? "" : `${speaker}: `)
