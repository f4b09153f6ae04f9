import { readdirSync } from "node:fs"
import { defineProject } from "vitest/config"

/**
 * Packages whose test files each run in a process of their own: they start programs, encode, or read what is global in a
 * process (metrics, memory, signals). The files of every other package share processes, so that Effect and the package
 * are loaded once a process: that saves a third of their time.
 */
const isolatedPackages = new Set(["armoricore", "media", "ffmpeg", "demo", "testing"])

/**
 * `npm test` has the ffmpeg of npm first on PATH, which starts faster. The packages whose subject is ffmpeg test the one of
 * the system.
 */
const programs = process.env["ARMORICORE_TEST_PROGRAMS"]
const env = programs === undefined ? {} : { PATH: `${programs}:${process.env["PATH"]}` }
const packagesOnFfmpeg = new Set(["media", "ffmpeg"])

/** ARMORICORE_TEST_COST_FILE=costs.jsonl writes what each file costs. */
const setupFiles = process.env["ARMORICORE_TEST_COST_FILE"] ? [`${import.meta.dirname}/scripts/TestCost.ts`] : []

/** One project per package, the examples for those who write layers, and the repository (imports, packing, documents). */
export default [
  ...readdirSync(new URL("./packages", import.meta.url)).map((name) =>
    defineProject({
      test: {
        name,
        setupFiles,
        env: packagesOnFfmpeg.has(name) ? {} : env,
        root: `./packages/${name}`,
        include: ["test/**/*.test.ts"],
        // CI does not wait for a greylist of a minute.
        exclude: process.env["CI"] === "true" ? ["**/Greylist.test.ts"] : [],
        // A core that four files share makes a test of many processes four times as long.
        testTimeout: isolatedPackages.has(name) ? 120_000 : 60_000,
        hookTimeout: 60_000,
        isolate: isolatedPackages.has(name),
      },
    }),
  ),
  defineProject({
    test: { name: "examples", root: "./examples/layers", include: ["*.test.ts"], setupFiles, env, testTimeout: 60_000 },
  }),
  defineProject({
    test: {
      name: "repo",
      root: "./test",
      include: ["**/*.test.ts"],
      setupFiles,
      env,
      testTimeout: 300_000,
      hookTimeout: 300_000,
    },
  }),
]
