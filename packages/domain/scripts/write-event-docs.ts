/** `npm run docs:events`: writes the JSON Schema of every event to `docs/events/`. */
import { mkdirSync, writeFileSync } from "node:fs"
import { fileNameOf, textOf } from "../src/EventDocs.ts"
import { eventTypes } from "../src/Events.ts"

const folder = new URL("../../../docs/events/", import.meta.url)
mkdirSync(folder, { recursive: true })
for (const type of eventTypes) writeFileSync(new URL(fileNameOf(type), folder), textOf(type))
