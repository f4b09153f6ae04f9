import { defineConfig } from "vitest/config"
import projects from "./vitest.workspace.ts"

// vitest 4 and later no longer read vitest.workspace.ts by themselves.
export default defineConfig({ test: { projects } })
