import { readdirSync } from "node:fs"
import { defineProject } from "vitest/config"

/** One project per package, the examples for those who write layers, and the repository (imports, packing, documents). */
export default [
  ...readdirSync(new URL("./packages", import.meta.url)).map((name) =>
    defineProject({
      test: {
        name,
        root: `./packages/${name}`,
        include: ["test/**/*.test.ts"],
        testTimeout: 60_000,
        hookTimeout: 60_000,
      },
    }),
  ),
  defineProject({ test: { name: "examples", root: "./examples/layers", include: ["*.test.ts"], testTimeout: 60_000 } }),
  defineProject({
    test: { name: "repo", root: "./test", include: ["**/*.test.ts"], testTimeout: 300_000, hookTimeout: 300_000 },
  }),
]
