/**
 * `npm test`: runs every test and ends with one line that says what was left out and why. Plain JavaScript, because it
 * must be able to say that Node is too old.
 */
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
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
const folder = mkdtempSync(join(tmpdir(), "armoricore-test-"))
const leftOutFile = join(folder, "left-out")
const reportFile = join(folder, "report.json")
writeFileSync(leftOutFile, "")

const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
const child = spawn(
  process.execPath,
  [vitest, "run", "--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`, ...process.argv.slice(2)],
  { cwd: root, stdio: "inherit", env: { ...process.env, ARMORICORE_LEFT_OUT_FILE: leftOutFile } },
)

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal))

child.on("exit", (code) => {
  const missing = [...new Set(readFileSync(leftOutFile, "utf8").split("\n").filter(Boolean))]
  const report = existsSync(reportFile) ? JSON.parse(readFileSync(reportFile, "utf8")) : undefined
  rmSync(folder, { recursive: true, force: true })
  if (report === undefined) process.exit(code ?? 1)
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests: pending } = report
  const why = missing.length === 0 ? "no reason was given" : missing.join(", ")
  console.log(`${passed} passed, ${failed} failed${pending > 0 ? `, ${pending} skipped` : ""}`)
  console.log(`ran ${passed + failed}, left out ${pending} because ${pending === 0 ? "nothing had to be" : why}`)
  const leftOutUnexplained = pending > 0 && (missing.length === 0 || process.env["CI"] === "true")
  if (leftOutUnexplained) console.error("a test was skipped without a reason")
  process.exit(code === 0 && !leftOutUnexplained ? 0 : (code ?? 1) || 1)
})
