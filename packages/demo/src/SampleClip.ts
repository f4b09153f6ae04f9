/**
 * The clip that the demo uploads when nobody names a file: eight seconds of sea with a quiet chord, 1280×720. Where
 * flite is installed a voice says a sentence instead, so that there is something to caption; the offline speech engine
 * understands nothing over music.
 */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { Effect, FileSystem, Path, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { CommandFailed } from "@armoricore/armoricore/app/CommandErrors"
import { fps, frames, height, width } from "./Seascape.ts"

const seconds = 8

/** Three tones that swell in turn. */
const chord = [220, 277.18, 329.63]
  .map((tone, index) => `0.12*sin(2*PI*${tone}*t)*(0.65+0.35*sin(2*PI*(0.25*t+${index}/3)))`)
  .join("+")

const videoInput =
  `-v error -y -f rawvideo -pixel_format rgb24 -video_size ${width}x${height} -framerate ${fps} -i pipe:0`.split(" ")
const audioInput = ["-f", "lavfi", "-t", `${seconds}`, "-i", `aevalsrc=${chord}|${chord}:s=48000`]
const sentence = "This clip was uploaded, and became a stream with captions."
const encoding =
  `-vf scale=1280:720:flags=bicubic -c:v libx264 -preset veryfast -crf 19 -pix_fmt yuv420p -c:a aac -b:a 128k -movflags +faststart`.split(
    " ",
  )

const voiceFilter = `-af aresample=48000,adelay=1800:all=1,apad -ac 2 -t ${seconds}`.split(" ")
const fadeFilter = `afade=in:d=0.4,afade=out:st=${seconds - 0.8}:d=0.8`

export const make = Effect.fn("Sample.make")(function* (file: string) {
  const { ffmpeg } = yield* FfmpegPrograms
  const voice = yield* synthesizeSpeech
  const track = voice === undefined ? [...audioInput, "-af", fadeFilter] : ["-i", voice, ...voiceFilter]
  const child = yield* ChildProcess.make(ffmpeg, [videoInput, track, encoding, file].flat(), {
    stdin: Stream.fromIterable(frames(seconds)),
    stdout: "ignore",
    forceKillAfter: "1 second",
  })
  const said = yield* Stream.mkString(Stream.decodeText(child.stderr))
  const code = yield* child.exitCode
  if (code !== 0) return yield* new CommandFailed({ message: `ffmpeg could not make the sample clip: ${said.trim()}` })
}, Effect.scoped)

/** A file with the spoken sentence; undefined where there is no flite. */
const synthesizeSpeech = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const file = (yield* Path.Path).join(yield* fs.makeTempDirectoryScoped(), "voice.wav")
  const child = yield* ChildProcess.make("flite", ["-voice", "rms", "-t", sentence, "-o", file], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    forceKillAfter: "1 second",
  })
  return (yield* child.exitCode) === 0 ? file : undefined
}).pipe(Effect.orElseSucceed(() => undefined))
