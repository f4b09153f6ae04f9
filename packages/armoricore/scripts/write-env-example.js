/** Writes `.env.example` at the root of the checkout from the table of settings. */
import { writeFileSync } from "node:fs";
import { envExample } from "../src/settings/ConfigurationReference.ts";
writeFileSync(new URL("../../../.env.example", import.meta.url), envExample());
