/**
 * Ends what a test run has started, however the run ends: `scripts/test.js` starts it with a pipe as its input, and the
 * pipe closes when that process exits, is killed or crashes. The temporary files of a run are in one folder, so each process
 * of the run names that folder in its environment or its arguments. Linux only: elsewhere only the folder is removed.
 *
 * Usage: node scripts/reaper.js FOLDER
 */
import { readdirSync, readFileSync, rmSync } from "node:fs"

const folder = process.argv[2]
if (folder === undefined) {
  console.error("usage: reaper.js FOLDER")
  process.exit(2)
}
const graceMillis = 3_000
const pollMillis = 50

const read = (path) => {
  try {
    return readFileSync(path, "latin1")
  } catch {
    // The process ended in the meantime, or belongs to another user.
    return ""
  }
}

const isZombie = (pid) => /^\d+ \(.*\) Z/s.test(read(`/proc/${pid}/stat`))

const processes = () =>
  process.platform !== "linux"
    ? []
    : readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .map(Number)
        .filter((pid) => pid !== process.pid && !isZombie(pid))
        .filter((pid) => read(`/proc/${pid}/environ`).includes(folder) || read(`/proc/${pid}/cmdline`).includes(folder))

const signal = (pid, name) => {
  try {
    process.kill(pid, name)
  } catch {
    // It ended in the meantime.
  }
}

const reap = async () => {
  const deadline = Date.now() + graceMillis
  for (const pid of processes()) signal(pid, "SIGTERM")
  // Ends with the processes: one that starts while the others end is found by the next look.
  while (processes().length > 0) {
    if (Date.now() > deadline) for (const pid of processes()) signal(pid, "SIGKILL")
    await new Promise((resolve) => setTimeout(resolve, pollMillis))
  }
  rmSync(folder, { recursive: true, force: true })
}

// The terminal signals the whole group; this process must outlive the run.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => {})
process.stdin.resume()
process.stdin.on("error", () => {})
process.stdin.on("close", () => void reap())
