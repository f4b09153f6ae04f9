/**
 * What each test file costs: with ARMORICORE_TEST_COST_FILE=costs.jsonl, `npm test` adds one line of JSON for each file. A
 * core can do only one thing, so the sum of the CPU seconds bounds the time of the run.
 */
import { appendFileSync, readFileSync } from "node:fs"
import { relative } from "node:path"
import { afterAll, beforeAll, expect } from "vitest"

interface Spent {
  /** Seconds of this process. */
  readonly own: number
  /** Seconds of the processes that it started and that have ended. */
  readonly children: number
  readonly at: number
}

const ticksPerSecond = 100

const spent = (): Spent => {
  // The name of the process may contain spaces and parentheses.
  const fields = readFileSync("/proc/self/stat", "utf8")
    .replace(/^.*\) /, "")
    .split(" ")
    .map(Number)
  const sum = (index: number) => ((fields[index] ?? 0) + (fields[index + 1] ?? 0)) / ticksPerSecond
  return { own: sum(11), children: sum(13), at: performance.now() / 1000 }
}

const costFile = process.env["ARMORICORE_TEST_COST_FILE"]
const shared: { armoricoreSpent?: Spent } = globalThis as never
const previous = shared.armoricoreSpent ?? { own: 0, children: 0, at: 0 }
const loaded = spent()
let collected = loaded

if (costFile !== undefined) {
  beforeAll(() => {
    collected = spent()
  })
  afterAll(() => {
    const end = spent()
    shared.armoricoreSpent = end
    const line = {
      file: relative(`${import.meta.dirname}/..`, expect.getState().testPath ?? ""),
      worker: previous.at === 0 ? "new" : "shared",
      cpu: end.own - previous.own + end.children - previous.children,
      start: loaded.own - previous.own,
      imports: collected.own - loaded.own,
      tests: end.own - collected.own,
      children: end.children - previous.children,
      wall: end.at - previous.at,
    }
    appendFileSync(
      costFile,
      `${JSON.stringify(line, (_, value) => (typeof value === "number" ? Math.round(value * 100) / 100 : value))}\n`,
    )
  })
}
