/**
 * The program in few files, which starts in 60 % of the CPU. `npm test` of everything or of whole packages builds it once;
 * a run of single files starts the program of the checkout.
 */
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

/** The entry point of the checkout, for tests of itself. */
export const checkout = fileURLToPath(new URL("../../bin/armoricore.js", import.meta.url))
const script = fileURLToPath(new URL("../../../../scripts/bundle-program.ts", import.meta.url))

/** A folder of the run. */
const folder = process.env["ARMORICORE_TEST_BUNDLE"]

/** Holds the error of a build that failed. */
const failure = `${folder}.failed`

const build = async (output: string): Promise<void> => {
  // The first of the processes of the run builds, the others wait.
  const isFirst = mkdirSync(`${output}.lock`, { recursive: true }) !== undefined
  if (!isFirst) return
  try {
    await promisify(execFile)(process.execPath, ["--experimental-import-meta-resolve", script, output])
  } catch (error) {
    writeFileSync(failure, `The program cannot be bundled: ${String(error)}`)
  }
}

const find = async (): Promise<string> => {
  if (folder === undefined) return checkout
  if (!existsSync(folder)) await build(folder)
  while (!existsSync(folder)) {
    if (existsSync(failure)) throw new Error(readFileSync(failure, "utf8"))
    await setTimeout(50)
  }
  return join(folder, "bin.js")
}

let found: Promise<string> | undefined

/** The path of the file that starts the program. */
export const path = (): Promise<string> => (found ??= find())
