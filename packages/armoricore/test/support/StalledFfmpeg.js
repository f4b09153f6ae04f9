/** An ffmpeg that makes no progress while a marker file exists. */
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
/** Set FFMPEG_PATH to `script`. */
export const make = (folder, ffmpeg) => {
    const [script, markerFile] = [join(folder, "ffmpeg.sh"), join(folder, "hold")];
    writeFileSync(script, `#!/bin/sh\n[ -e ${markerFile} ] && case "$*" in *-progress*) exec sleep 300;; esac\nexec ${ffmpeg} "$@"\n`);
    chmodSync(script, 0o755);
    return { script, stall: () => writeFileSync(markerFile, ""), resume: () => rmSync(markerFile, { force: true }) };
};
