/** An ffmpeg that makes no progress while a file is there. */
import { chmodSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** `script` is for FFMPEG_PATH. */
export const make = (folder: string, ffmpeg: string) => {
  const [script, hold] = [join(folder, "ffmpeg.sh"), join(folder, "hold")]
  writeFileSync(
    script,
    `#!/bin/sh\n[ -e ${hold} ] && case "$*" in *-progress*) exec sleep 300;; esac\nexec ${ffmpeg} "$@"\n`,
  )
  chmodSync(script, 0o755)
  return { script, hold: () => writeFileSync(hold, ""), release: () => rmSync(hold, { force: true }) }
}
