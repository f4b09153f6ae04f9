/** The clip that the demo uploads when nobody names a file: eight seconds of sea with a quiet chord, 1280×720. */
import { FfmpegPrograms } from "@armoricore/media/FfmpegPrograms"
import { Effect, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { CommandFailed } from "../Failure.ts"
import { fps, frames, height, width } from "./Seascape.ts"

const seconds = 8

/** Three tones that swell in turn. */
const chord = [220, 277.18, 329.63]
  .map((tone, index) => `0.12*sin(2*PI*${tone}*t)*(0.65+0.35*sin(2*PI*(0.25*t+${index}/3)))`)
  .join("+")

const picture =
  `-v error -y -f rawvideo -pixel_format rgb24 -video_size ${width}x${height} -framerate ${fps} -i pipe:0`.split(" ")
const sound = ["-f", "lavfi", "-i", `aevalsrc=${chord}|${chord}:s=48000`, "-t", `${seconds}`]
const encoding =
  `-vf scale=1280:720:flags=bicubic -c:v libx264 -preset veryfast -crf 19 -pix_fmt yuv420p -c:a aac -b:a 128k -af afade=in:d=0.4,afade=out:st=${seconds - 0.8}:d=0.8 -movflags +faststart`.split(
    " ",
  )

export const make = Effect.fn("Sample.make")(function* (file: string) {
  const { ffmpeg } = yield* FfmpegPrograms
  const child = yield* ChildProcess.make(ffmpeg, [picture, sound, encoding, file].flat(), {
    stdin: Stream.fromIterable(frames(seconds)),
    stdout: "ignore",
    forceKillAfter: "1 second",
  })
  const said = yield* Stream.mkString(Stream.decodeText(child.stderr))
  const code = yield* child.exitCode
  if (code !== 0) return yield* new CommandFailed({ message: `ffmpeg could not make the sample clip: ${said.trim()}` })
}, Effect.scoped)
