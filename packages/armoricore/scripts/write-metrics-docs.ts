/** Writes `docs/metrics.md` at the root of the checkout from the list of metrics. */
import { writeFileSync } from "node:fs"
import { reference } from "../src/telemetry/Catalogue.ts"

writeFileSync(new URL("../../../docs/metrics.md", import.meta.url), reference())
