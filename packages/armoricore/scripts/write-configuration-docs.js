/** Writes `docs/configuration.md` at the root of the checkout from the table of settings. */
import { writeFileSync } from "node:fs";
import { configurationReference } from "../src/settings/ConfigurationReference.ts";
writeFileSync(new URL("../../../docs/configuration.md", import.meta.url), configurationReference());
