/** `npm run docs:events`: writes the JSON Schema of every event to `docs/events/`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { schemaFileName, schemaFileText } from "../src/EventJsonSchema.ts";
import { eventTypes } from "../src/EventRegistry.ts";
const folder = new URL("../../../docs/events/", import.meta.url);
mkdirSync(folder, { recursive: true });
for (const type of eventTypes)
    writeFileSync(new URL(schemaFileName(type), folder), schemaFileText(type));
