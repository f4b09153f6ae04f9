import { defineConfig } from "vitest/config"
import projects from "./vitest.workspace.ts"

// vitest 4 and later no longer read vitest.workspace.ts by themselves. Two files at a time: most tests wait for servers
// and processes rather than for a core.
export default defineConfig({ test: { projects, maxWorkers: 2 } })
