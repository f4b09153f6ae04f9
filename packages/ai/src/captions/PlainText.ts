/** The words to read: a paragraph ends at a long pause, or where somebody else speaks. */
import type { TranscriptWord } from "@armoricore/domain/Transcript"

export const contentType = "text/plain; charset=utf-8"

/** Seconds of silence that end a paragraph. */
const paragraphPauseSeconds = 2

export const render = (words: ReadonlyArray<TranscriptWord>): string => {
  let text = ""
  let previous: TranscriptWord | undefined
  for (const word of words) {
    if (previous === undefined) text += speakerPrefix(word)
    else if (word.speaker !== previous.speaker) text += `\n\n${speakerPrefix(word)}`
    else text += word.start - previous.end > paragraphPauseSeconds ? "\n\n" : " "
    text += word.text
    previous = word
  }
  return text === "" ? "" : `${text}\n`
}

const speakerPrefix = ({ speaker }: TranscriptWord): string => (speaker === undefined ? "" : `${speaker}: `)
