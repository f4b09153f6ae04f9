/** A film of twelve seconds in which a speech server that hears tones finds two sentences, "w0 w1 …" both. */
import { wavHeader } from "@armoricore/ai/Pcm"
import * as ToneSpeech from "@armoricore/testing/fakes/ToneSpeech"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { temporaryDirectory } from "./ProgramProcess.ts"

/** Words that the server will hear, with a pause of two seconds before the tenth. */
const [first, second] = [ToneSpeech.synthesize(9, { before: 1.5, after: 2 }), ToneSpeech.synthesize(9, { after: 1 })]

/** Seconds at which the sentences begin. */
export const sentenceStarts = {
  first: first.words[0]?.start ?? 0,
  second: first.samples.length / ToneSpeech.sampleRate + (second.words[0]?.start ?? 0),
}

export const make = Effect.fnUntraced(function* (ffmpeg: string) {
  const home = yield* temporaryDirectory
  const samples = Int16Array.from([...first.samples, ...second.samples])
  const sound = join(home, "sound.wav")
  writeFileSync(sound, Buffer.concat([wavHeader(samples.length), Buffer.from(samples.buffer)]))
  const file = join(home, "film.mp4")
  const args = `-v error -f lavfi -i testsrc2=s=640x360:r=25:d=12 -i ${sound} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac ${file}`
  yield* Effect.promise(() => promisify(execFile)(ffmpeg, args.split(" ")))
  return file
})
