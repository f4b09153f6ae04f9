import { defineConfig } from "vitest/config";
import { MixedSequencer } from "./scripts/MixedSequencer.ts";
import projects from "./vitest.workspace.ts";
// vitest 4 and later no longer read vitest.workspace.ts by themselves. Four files at a time on two cores: many tests wait
// for servers, timers and processes rather than for a core.
export default defineConfig({ test: { projects, maxWorkers: 4, sequence: { sequencer: MixedSequencer } } });
