/** Every ffmpeg that this machine has: users have the one of their system or the one that npm installed. */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { Effect, Layer } from "effect"
import { npmPrograms } from "./NpmPrograms.ts"

/** A name and the programs with this ffmpeg, for `describe.each`. */
export const ffmpegBuilds = [
  ["of the system", Layer.effect(FfmpegPrograms, FfmpegPrograms)] as const,
  ...(npmPrograms.ffmpeg === undefined ? [] : [["of npm", npmPrograms.ffmpeg] as const]).map(
    ([name, ffmpeg]) =>
      [
        name,
        Layer.effect(
          FfmpegPrograms,
          Effect.map(FfmpegPrograms, (found) => ({ ...found, ffmpeg })),
        ),
      ] as const,
  ),
]
